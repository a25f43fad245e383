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

    decided: as long as `answer`, the tokens that follow from the question whatever the wording (results, numbers,
    names), or some of them. drill: whether nothing else is ever masked.
    """

    prompt: list[int]
    answer: list[int]
    decided: list[bool]
    drill: bool = False


Draw = Callable[[random.Random], Example]


@dataclass
class Batch:
    """Canvases of one length L, B of them.

    ids: [B, L]. answer: [B, L] bool, everything behind the prompt. decided: [B, L] bool, what follows
    from the question. start: [B], the first slot of the answer. drill: [B] bool, rows of which nothing else is masked.
    weight: [B, L], the weight of each slot in the loss: 1 for the answer and its first EOS, less in the tail.
    """

    ids: Tensor
    answer: Tensor
    decided: Tensor
    start: Tensor
    weight: Tensor
    drill: Tensor


def collate(examples: Sequence[Example], length: int, eos: int, tail_weight: float) -> Batch:
    """Canvases of `length` tokens; the slots behind an answer's first EOS are EOS and weigh `tail_weight`."""
    ids = torch.full((len(examples), length), eos)
    answer = torch.zeros(len(examples), length, dtype=torch.bool)
    decided = torch.zeros(len(examples), length, dtype=torch.bool)
    weight = torch.zeros(len(examples), length)
    start = torch.tensor([len(example.prompt) for example in examples])
    drill = torch.tensor([example.drill for example in examples])
    for row, example in enumerate(examples):
        begin, end = len(example.prompt), len(example.prompt) + len(example.answer)
        ids[row, :end] = torch.tensor(example.prompt + example.answer)
        answer[row, begin:] = True
        decided[row, begin:end] = torch.tensor(example.decided)
        weight[row, begin : end + 1] = 1.0
        weight[row, end + 1 :] = tail_weight
    return Batch(ids, answer, decided, start, weight, drill)


def batches(draw: Draw, rng: random.Random, size: int, parts: int, gen_length: int, eos: int) -> list[Batch]:
    """One step's examples as `parts` batches of similar length (short canvases are not stretched to the longest)."""
    examples = sorted((draw(rng) for _ in range(size)), key=lambda e: len(e.prompt) + len(e.answer))
    share = size // parts
    made = []
    for part in range(parts):
        group = examples[part * share : (part + 1) * share]
        longest = max(len(e.prompt) + len(e.answer) for e in group) + 1
        slack = min(len(e.prompt) for e in group) + gen_length - longest
        length = longest + int(rng.random() ** 4 * max(slack, 0))
        made.append(collate(group, length, eos, tail_weight=0.1))
    return made


def random_mask(
    batch: Batch, block: int, block_share: float, decided_share: float, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Which slots to mask and what each masked slot weighs: ([B, L] bool, [B, L] float).

    Three kinds of rows:

    - as LLaDA pretrains (arXiv 2502.09992, eq. 3): every slot masked with probability t, weight 1/t. Here t = u^2 with
      u ~ U(0, 1) stratified over the batch, and the weight is 2/sqrt(t): the same expectation (the density of t is
      1/(2 sqrt(t))), less variance, and more canvases in which only a few slots are open;
    - a share `block_share` of them looks like semi-autoregressive decoding: one block masked with probability t,
      everything right of it masked and without weight;
    - a share `decided_share` of the rows, and every drill: `batch.decided` masked and nothing else, weight 1. Random
      masks rarely hide a result and leave its operands open, and the many possible wordings drown what they teach.
    """
    rows, length = batch.ids.shape
    t = (torch.rand(1, generator=generator) + torch.arange(rows) / rows) % 1.0
    t = t[torch.randperm(rows, generator=generator)].square().clamp(0.02, 1.0)[:, None]
    hidden = (torch.rand(rows, length, generator=generator) < t) & batch.answer
    weight = batch.weight * 2 / t.sqrt()

    offset = torch.arange(length)[None] - batch.start[:, None]
    spoken = (batch.weight == 1.0).sum(1, keepdim=True)
    count = (spoken + block - 1) // block
    chosen = (torch.rand(rows, 1, generator=generator) * count).long()
    inside = (offset // block == chosen) & batch.answer
    right = (offset // block > chosen) & batch.answer
    blocky = torch.rand(rows, 1, generator=generator) < block_share
    masked = torch.where(blocky, (hidden & inside) | right, hidden)
    weight = torch.where(blocky, weight * inside, weight)

    sure = (torch.rand(rows, 1, generator=generator) < decided_share) & batch.decided.any(1, keepdim=True)
    sure |= batch.drill[:, None]
    return torch.where(sure, batch.decided, masked), torch.where(sure, batch.weight, weight)
