"""d3LLM and dParallel: two complementary views of one block, cross entropy, and entropy where the model is right.

d3LLM (arXiv:2601.07568) takes the block's pattern from the teacher's order of reveal, with a mask ratio and a block
size that grow; dParallel (arXiv:2509.26488) hides half of the block at random.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from methods.distill import masks
from methods.distill.attention import by_length
from methods.distill.losses import Mean, certainty, certainty_forcing
from methods.distill.objectives.base import Batch, Draw, Item, Models, Tokens, behind, trimmed
from methods.distill.trajectory import Trajectory


@dataclass(frozen=True)
class CertaintySettings:
    """pattern: "trajectory" (d3LLM) or "random" (dParallel). ratio_start..ratio_end: the least mask ratio over the run;
    the ratio is drawn between it and ratio_end. blocks: block sizes, one for each equal part of the run, interpolated.
    blockwise: false makes the whole response the block. template_offset: compat, tokens by which the pattern is read
    too far right (d3LLM's LLaDA trajectories were made without the chat template).
    """

    pattern: str = "trajectory"
    ratio_start: float = 0.0
    ratio_end: float = 0.8
    blocks: tuple[int, ...] = (32,)
    blockwise: bool = True
    complementary: bool = True
    entropy_weight: float = 2.0
    entropy_temperature: float = 0.5
    entropy_both: bool = False
    divisor: float = 1.0
    template_offset: int = 0
    compat: bool = False


def block_size(blocks: tuple[int, ...], progress: float) -> int:
    """The block size at `progress` of the run: linear from each entry to the next, constant at the last."""
    place = progress * len(blocks)
    index = min(int(place), len(blocks) - 1)
    if index + 1 >= len(blocks):
        return blocks[-1]
    return int(blocks[index] + (place - index) * (blocks[index + 1] - blocks[index]))


class CertaintyForcing:
    """The objective of `d3llm` and `dparallel`."""

    def __init__(self, settings: CertaintySettings, tokens: Tokens) -> None:
        self.settings, self.tokens = settings, tokens

    def examples(self, trajectory: Trajectory) -> int:
        """One example per trajectory and epoch."""
        return 1

    def view(self, response: np.ndarray, reveal: np.ndarray, length: int, draw: Draw) -> masks.View:
        """The masks of one draw over the (padded) response; `length` is the response without padding."""
        s = self.settings
        block = block_size(s.blocks, draw.progress) if s.blockwise else max(len(response), 1)
        choice = int(draw.rng.integers(masks.choices(length, block, s.compat))) if s.blockwise else 0
        start, end = masks.region(choice, block, length, len(response), s.compat) if s.blockwise else (0, len(response))
        low = s.ratio_start + (s.ratio_end - s.ratio_start) * draw.progress
        ratio = float((draw.shared if s.compat else draw.rng).uniform(low, s.ratio_end))
        if s.pattern == "random":
            return masks.random_block(len(response), start, end, ratio, draw.rng)
        return masks.pseudo_trajectory(reveal, start, end, ratio, compat=s.compat)

    def item(self, draw: Draw) -> Item:
        """input, input_rev: noisy canvases; target: clean one; masked, masked_rev: scored positions."""
        s, response, reveal = self.settings, *trimmed(draw, self.tokens.eos)
        length = len(response)
        if self.tokens.shift == 0:  # LLaDA's blocks are drawn from answer and EOS, Dream's from the padded window
            length = min(masks.first_eos(response, self.tokens.eos) + 1, length)
        if s.compat:
            padding = max(self.tokens.max_length - len(draw.trajectory.prompt) - len(response), 0)
            response = np.concatenate([response, np.full(padding, self.tokens.eos[0])])
            hidden_padding = 0 if self.tokens.shift == 0 else -1
            reveal = np.concatenate([reveal, np.full(padding, hidden_padding)])
            moved = np.zeros(len(reveal), np.int64)
            moved[: len(reveal) - s.template_offset] = reveal[s.template_offset :]
            reveal = moved
        else:
            reveal = masks.content_first(response, reveal, self.tokens.eos)
        view = self.view(response, reveal, length, draw)
        noisy = np.where(view.masked | view.future, self.tokens.mask, response)
        noisy_rev = np.where(view.complement | view.future, self.tokens.mask, response)
        names = ("input", "input_rev", "target", "masked", "masked_rev")
        arrays = behind(draw.trajectory.prompt, noisy, noisy_rev, response, view.masked, view.complement)
        item: Item = dict(zip(names, arrays, strict=True))
        return item | {"length": len(item["input"])}

    def loss(self, models: Models, batch: Batch, mean: Mean) -> tuple[Tensor, dict[str, Tensor]]:
        """Both views go through the student in one forward."""
        s, target = self.settings, batch["target"]
        inputs, lengths, wheres = [batch["input"]], [batch["length"]], [batch["masked"]]
        if s.complementary:
            inputs.append(batch["input_rev"])
            lengths.append(batch["length"])
            wheres.append(batch["masked_rev"])
        hidden = models.hidden(torch.cat(inputs), by_length(torch.cat(lengths), target.shape[1]))
        views = [
            certainty(models.rows(states, where), target[where], models.head, s.entropy_temperature, models.chunk)
            for states, where in zip(hidden.split(target.shape[0]), wheres, strict=True)
        ]
        return certainty_forcing(
            views[0],
            views[1] if s.complementary else None,
            entropy_weight=s.entropy_weight,
            entropy_both=s.entropy_both,
            divisor=s.divisor,
            mean=mean,
        )
