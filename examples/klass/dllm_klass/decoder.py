"""The three pieces of KLASS that the harness does not have yet, and the decoder made of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from methods.decoding import (
    CommitRule,
    Decoder,
    Ignore,
    NoCache,
    Plan,
    Score,
    Scorer,
    Sequential,
    State,
    divides,
    progress,
)

CONFIDENCE = Score("probability")


@dataclass(frozen=True)
class Ahead(Sequential):
    """Blocks in turn; the next one is scored too, so that its slots have a past when their turn comes."""

    def plan(self, state: State) -> Plan:
        """The current block is eligible, two blocks are scored."""
        plan = super().plan(state)
        plan.scored = state.open & (state.shape.pos < plan.must_commit[:, 1:] + state.values["block_size"][:, None])
        return plan


@dataclass(frozen=True)
class Stillness(Scorer):
    """The confidence of a slot and, in `state.own["still"]` [B, C], for how many forwards it has hardly moved.

    kept: consecutive positions that are scored at most, each with its last distribution [B, kept, V] (float32).
    """

    kept: int
    memory = ("log_probs", "seen", "still")
    values = ("kl_threshold",)

    def start(self, state: State) -> None:
        """No distribution yet."""
        state.own["log_probs"] = torch.zeros(len(state), self.kept, state.shape.vocab, device=state.ids.device)
        state.own["seen"] = torch.full_like(state.ids, -1)
        state.own["still"] = torch.zeros_like(state.ids)

    def __call__(self, logits: Tensor, state: State, row: Tensor, pos: Tensor) -> tuple[Tensor, Tensor]:
        """Token and cost of the confidence; KL(now || forward before), rounding below 0 cut off."""
        own, place, now = state.own, pos % self.kept, logits.float().log_softmax(-1)
        moved = (now.exp() * (now - own["log_probs"][row, place])).sum(-1).clamp_min(0)
        still = (own["seen"][row, pos] == state.forwards[row]) & (moved < state.values["kl_threshold"][row])
        own["still"][row, pos] = torch.where(still, own["still"][row, pos] + 1, 0)
        own["seen"][row, pos] = state.forwards[row] + 1
        own["log_probs"][row, place] = now
        return CONFIDENCE(logits, state, row, pos)


@dataclass(frozen=True)
class SureAndStill(CommitRule):
    """Slots above the confidence threshold that were still for `history` forwards; else the block's surest one.

    As in the authors' code, the first `history` - 1 forwards of a block commit one token each.
    """

    needs = ("still", "step")
    values = ("threshold", "history")

    def select(self, state: State, plan: Plan, cost: Tensor) -> Tensor:
        """`cost` is minus the confidence."""
        history = state.values["history"]
        still = (state.own["still"] >= history[:, None]) & (state.own["step"] >= history - 1)[:, None]
        chosen = plan.eligible & still & (-cost > state.values["threshold"][:, None])
        return progress(state, plan, cost, chosen)


def build(settings: Mapping[str, float | int]) -> Decoder:
    """The decoder of one setting; the same on every architecture and in both fidelities."""
    size = int(settings["block_size"])
    need = (divides("block_size", size),)
    return Decoder(Ahead(), NoCache(), SureAndStill(), Ignore(), Stillness(2 * size), settings, need=need)
