"""The three pieces of KLASS that the harness does not have yet, and the decoder made of them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from methods.decoding.request import divides
from methods.decoding.rows import Plan, Rows
from methods.decoding.stops import Ignore
from torch import Tensor

from methods.decoding import Decoder
from methods.decoding.blocks import Sequential
from methods.decoding.caches import NoCache
from methods.decoding.commit import progress
from methods.decoding.scores import Score

CONFIDENCE = Score("probability")


@dataclass(frozen=True)
class Ahead(Sequential):
    """Blocks in turn; the next one is scored too, so that its slots have a past when their turn comes."""

    def plan(self, rows: Rows) -> Plan:
        """The current block is eligible, two blocks are scored."""
        plan = super().plan(rows)
        assert plan.must is not None
        plan.scored = rows.open & (rows.shape.pos < plan.must[:, 1:] + rows.values["block_size"][:, None])
        return plan


@dataclass(frozen=True)
class Stillness:
    """The confidence of a slot and, in `rows.own["still"]` [B, C], for how many forwards it has hardly moved.

    kept: consecutive positions that are scored at most, each with its last distribution [B, kept, V] (float32).
    """

    kept: int

    def start(self, rows: Rows) -> None:
        """No distribution yet."""
        rows.own["log_probs"] = torch.zeros(len(rows), self.kept, rows.shape.vocab, device=rows.ids.device)
        rows.own["seen"] = torch.full_like(rows.ids, -1)
        rows.own["still"] = torch.zeros_like(rows.ids)

    def __call__(self, logits: Tensor, rows: Rows, row: Tensor, pos: Tensor) -> tuple[Tensor, Tensor]:
        """Token and cost of the confidence; KL(now || forward before), rounding below 0 cut off."""
        own, place, now = rows.own, pos % self.kept, logits.float().log_softmax(-1)
        moved = (now.exp() * (now - own["log_probs"][row, place])).sum(-1).clamp_min(0)
        still = (own["seen"][row, pos] == rows.forwards[row]) & (moved < rows.values["kl_threshold"][row])
        own["still"][row, pos] = torch.where(still, own["still"][row, pos] + 1, 0)
        own["seen"][row, pos] = rows.forwards[row] + 1
        own["log_probs"][row, place] = now
        return CONFIDENCE(logits, rows, row, pos)


@dataclass(frozen=True)
class SureAndStill:
    """Slots above the confidence threshold that were still for `history` forwards; else the block's surest one.

    As in the authors' code, the first `history` - 1 forwards of a block commit one token each.
    """

    def start(self, rows: Rows) -> None:
        """Nothing to remember."""

    def select(self, rows: Rows, plan: Plan, cost: Tensor) -> Tensor:
        """`cost` is minus the confidence."""
        history = rows.values["history"]
        still = (rows.own["still"] >= history[:, None]) & (rows.own["step"] >= history - 1)[:, None]
        chosen = plan.eligible & still & (-cost > rows.values["threshold"][:, None])
        return progress(rows, plan, cost, chosen)


def build(settings: dict[str, float | int], arch: str, fidelity: str) -> Decoder:
    """The decoder of one setting; the same on every architecture and in both fidelities."""
    size = int(settings["block_size"])
    need = (divides("block_size", size),)
    return Decoder(Ahead(), NoCache(), SureAndStill(), Ignore(), Stillness(2 * size), settings, need=need)
