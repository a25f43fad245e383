"""Fast-dLLM v2 (arXiv:2509.26328): an autoregressive model learns to fill blocks, keeping its next-token alignment.

Each example is seen twice, masked and complementarily masked; the input is the noisy canvas followed by the clean
one, and the scored tokens are those masked in the noisy half, predicted from the position before them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from methods.distill import masks
from methods.distill.attention import noisy_clean
from methods.distill.losses import Mean, hard_sum
from methods.distill.objectives.base import Batch, Draw, Item, Models, Tokens, behind, trimmed
from methods.distill.trajectory import Trajectory


@dataclass(frozen=True)
class BlockSettings:
    """block: tokens of a block, counted from the start of the sequence as the decoder counts them.

    boundary_weight: weight of a next-token loss at the end of every clean block (0 in the paper's code): the decoder
    takes a block's first token from there, where the noisy half never looks.
    """

    block: int = 32
    complementary: bool = True
    boundary_weight: float = 0.0


class BlockDiffusion:
    """The objective of `fast_dllm_v2`."""

    def __init__(self, settings: BlockSettings, tokens: Tokens) -> None:
        self.settings, self.tokens = settings, tokens

    def examples(self, trajectory: Trajectory) -> int:
        """One example per trajectory and epoch."""
        return 1

    def item(self, draw: Draw) -> Item:
        """target: clean canvas; input, input_rev: noisy ones; masked, masked_rev: scored positions."""
        response, _ = trimmed(draw, self.tokens.eos)
        hidden = masks.block_diffusion(len(response), len(draw.trajectory.prompt), self.settings.block, draw.rng)
        noisy = np.where(hidden, self.tokens.mask, response)
        noisy_rev = np.where(~hidden, self.tokens.mask, response)
        arrays = behind(draw.trajectory.prompt, response, noisy, noisy_rev, hidden, ~hidden)
        item: Item = dict(zip(("target", "input", "input_rev", "masked", "masked_rev"), arrays, strict=True))
        return item | {"length": len(item["target"]), "prompt": len(draw.trajectory.prompt)}

    def loss(self, models: Models, batch: Batch, mean: Mean) -> tuple[Tensor, dict[str, Tensor]]:
        """Cross entropy over the masked tokens of the noisy half, not weighted by t."""
        s, clean = self.settings, batch["target"]
        views = [("input", "masked")] + ([("input_rev", "masked_rev")] if s.complementary else [])
        width, copies = clean.shape[1], len(views)
        ids = torch.cat([torch.cat([batch[name], clean], 1) for name, _ in views])
        masked = torch.cat([batch[name] for _, name in views])
        lengths, prompt = batch["length"].repeat(copies), batch["prompt"].repeat(copies)
        allowed = noisy_clean(prompt, lengths, width, s.block)
        positions = torch.arange(width, device=ids.device).repeat(2)[None].expand(ids.shape[0], -1)
        hidden = models.hidden(ids, allowed, positions)
        target = clean.repeat(copies, 1)
        ce = hard_sum(models.rows(hidden[:, :width], masked), target[masked], models.head, models.chunk)
        loss = mean(ce, torch.tensor(float(masked.sum()), device=ce.device))
        parts = {"ce": loss}
        if s.boundary_weight:
            place = torch.arange(width, device=ids.device)[None]
            first = (place >= prompt[:, None]) & (place < lengths[:, None]) & (place % s.block == 0)
            total = hard_sum(models.rows(hidden[:, width:], first), target[first], models.head, models.chunk)
            parts["boundary"] = mean(total, torch.tensor(float(first.sum()), device=total.device))
            loss = loss + s.boundary_weight * parts["boundary"]
        return loss, parts
