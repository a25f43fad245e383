"""D2F (arXiv:2508.09192): a block-causal student learns the bidirectional teacher's distribution on the same noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from methods.distill import masks
from methods.distill.attention import block_causal, by_length
from methods.distill.losses import Mean, soft_sum
from methods.distill.objectives.base import Batch, Draw, Item, Models, Tokens, behind, trimmed
from methods.distill.trajectory import Trajectory


@dataclass(frozen=True)
class ForcingSettings:
    """block: tokens of a student block. The first block's mask ratio is U(noise_low, noise_high), later ones grow."""

    block: int = 16
    noise_low: float = 0.2
    noise_high: float = 0.7
    compat: bool = False


class Forcing:
    """The objective of `d2f`."""

    def __init__(self, settings: ForcingSettings, tokens: Tokens) -> None:
        self.settings, self.tokens = settings, tokens

    def examples(self, trajectory: Trajectory) -> int:
        """One example per trajectory and epoch."""
        return 1

    def item(self, draw: Draw) -> Item:
        """input: noisy canvas; masked: its scored positions; weight: 1 / mask probability."""
        s, (response, _) = self.settings, trimmed(draw, self.tokens.eos)
        hidden, scored, probability = masks.monotone_noise(
            response, s.block, draw.rng, low=s.noise_low, high=s.noise_high, eos=self.tokens.eos, compat=s.compat
        )
        noisy = np.where(hidden, self.tokens.mask, response)
        weight = (1.0 / probability).astype(np.float32)
        arrays = behind(draw.trajectory.prompt, noisy, scored, weight)
        item: Item = dict(zip(("input", "masked", "weight"), arrays, strict=True))
        return item | {"length": len(item["input"]), "prompt": len(draw.trajectory.prompt)}

    def loss(self, models: Models, batch: Batch, mean: Mean) -> tuple[Tensor, dict[str, Tensor]]:
        """Soft cross entropy on masked tokens, each divided by its mask probability."""
        ids, masked, width = batch["input"], batch["masked"], batch["input"].shape[1]
        hidden = models.hidden(ids, block_causal(batch["prompt"], batch["length"], width, self.settings.block))
        with models.teaching() as (teach, teacher_head):
            states = teach(ids, by_length(batch["length"], width))
            total = soft_sum(
                models.rows(hidden, masked),
                models.rows(states, masked),
                batch["weight"][masked],
                models.head,
                teacher_head,
                models.chunk,
            )
        loss = mean(total, torch.tensor(float(masked.sum()), device=total.device))
        return loss, {"soft_ce": loss}
