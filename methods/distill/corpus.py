"""Batches of worked answers for pretraining: what is prompt, what is answer, what is masked.

A batch holds canvases of one length: prompt, answer, then EOS to the end, exactly what a decoder sees. No padding
and no attention mask are needed, and step `i` of a run draws the same batch however often the run was resumed.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Example:
    """Token ids of a prompt and of its answer (without EOS).

    open: for a drill, which answer tokens may be masked (all of them are, every time); None for a worked answer.
    """

    prompt: list[int]
    answer: list[int]
    open: list[bool] | None = None


Draw = Callable[[random.Random], Example]


@dataclass
class Batch:
    """Canvases of one length. ids: [B, L]. answer: [B, L] bool, the slots that may be masked. start: [B] first slot.

    drill: [B] bool, rows whose open slots are all masked.

    weight: [B, L], the weight of each slot in the loss: 1 for the answer and its first EOS, less in the tail.
    """

    ids: Tensor
    answer: Tensor
    start: Tensor
    weight: Tensor
    drill: Tensor


def collate(examples: Sequence[Example], length: int, eos: int, tail_weight: float) -> Batch:
    """Canvases of `length` tokens; the slots behind an answer's first EOS are EOS and weigh `tail_weight`."""
    ids = torch.full((len(examples), length), eos)
    answer = torch.zeros(len(examples), length, dtype=torch.bool)
    weight = torch.zeros(len(examples), length)
    start = torch.tensor([len(example.prompt) for example in examples])
    drill = torch.tensor([example.open is not None for example in examples])
    for row, example in enumerate(examples):
        begin, end = len(example.prompt), len(example.prompt) + len(example.answer)
        ids[row, :end] = torch.tensor(example.prompt + example.answer)
        if example.open is not None:
            answer[row, begin:end] = torch.tensor(example.open)
            weight[row] = answer[row].float()
            continue
        answer[row, begin:] = True
        weight[row, begin : end + 1] = 1.0
        weight[row, end + 1 :] = tail_weight
    return Batch(ids, answer, start, weight, drill)


def batches(draw: Draw, rng: random.Random, size: int, parts: int, gen_length: int, eos: int) -> list[Batch]:
    """One step's examples as `parts` batches of similar length (short canvases are not stretched to the longest)."""
    examples = sorted((draw(rng) for _ in range(size)), key=lambda e: len(e.prompt) + len(e.answer))
    share = size // parts
    made = []
    for part in range(parts):
        group = examples[part * share : (part + 1) * share]
        longest = max(len(e.prompt) + len(e.answer) for e in group) + 1
        room = min(len(e.prompt) for e in group) + gen_length - longest
        length = longest + int(rng.random() ** 4 * max(room, 0))
        made.append(collate(group, length, eos, tail_weight=0.1))
    return made


def random_mask(batch: Batch, block: int, block_share: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Which slots to mask and what each masked slot weighs: ([B, L] bool, [B, L] float).

    A share of the rows is masked as LLaDA pretrains (arXiv 2502.09992, eq. 3): every slot with probability t and
    weight 1/t. Here t = u^2 with u ~ U(0, 1) stratified over the batch, and the weight is 2/sqrt(t): the same
    expectation (the density of t is 1/(2 sqrt(t))), less variance, and more canvases in which only a few slots are
    open, which is where arithmetic is learned. The other rows (`block_share`) look like semi-autoregressive
    decoding: one block masked with probability t, everything right of it masked and without weight. In a drill every
    open slot is masked.
    """
    rows, length = batch.ids.shape
    t = (torch.rand(1, generator=generator) + torch.arange(rows) / rows) % 1.0
    t = t[torch.randperm(rows, generator=generator)].square().clamp(0.02, 1.0)[:, None]
    t = torch.where(batch.drill[:, None], 1.0, t)
    hidden = (torch.rand(rows, length, generator=generator) < t) & batch.answer
    weight = batch.weight * 2 / t.sqrt()

    offset = torch.arange(length)[None] - batch.start[:, None]
    spoken = (batch.weight == 1.0).sum(1, keepdim=True)
    count = (spoken + block - 1) // block
    chosen = (torch.rand(rows, 1, generator=generator) * count).long()
    inside = (offset // block == chosen) & batch.answer
    right = (offset // block > chosen) & batch.answer
    blocky = (torch.rand(rows, 1, generator=generator) < block_share) & ~batch.drill[:, None]
    masked = torch.where(blocky, (hidden & inside) | right, hidden)
    return masked, torch.where(blocky, weight * inside, weight)
