"""Saber (arXiv:2510.18165): a bar that follows the confidences so far, and tokens masked again when theirs has fallen.

Read in zhaoyMa/Saber@2f061e2, decoding.py. The scope of a forward is every generation slot left of the block's end,
earlier blocks included, and each of its slots is scored, filled or not: the confidence of a slot is the probability of
its best token now, not of the token that stands there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from methods.decoding.blocks import Sequential
from methods.decoding.commit import ranked
from methods.decoding.policies import CommitRule, Names
from methods.decoding.state import Plan, State


@dataclass(frozen=True)
class Remasking(Sequential):
    """`Sequential`, and after each commit the slots whose confidence rose least, or fell most, are masked again.

    With t tokens committed, or n if that is more: max(n // 2, ceil(t / 8)) slots, fewer than t. None in the step that
    fills the scope. Needs `AdaptiveBar`.
    """

    needs = ("rise",)
    values = ("block_size", "n")
    uncached: ClassVar[str] = "scores and re-opens slots of earlier blocks"

    def plan(self, state: State) -> Plan:
        """As `Sequential`; filled slots are scored too."""
        plan = super().plan(state)
        plan.scored = state.gen & (state.shape.pos < state.own["span"][:, 1:])
        return plan

    def advance(self, state: State, chosen: Tensor) -> None:
        """Mask again, then go on."""
        scope, n = state.gen & (state.shape.pos < state.own["span"][:, 1:]), state.values["n"]
        taken = torch.maximum(n, chosen.sum(1))
        count = torch.minimum(torch.maximum(n // 2, (taken + 7) // 8), taken - 1)
        count = torch.where((scope & state.open).any(1), count, 0)
        filled = scope & ~state.open
        state.reopen(filled & (ranked(state.own["rise"], filled) < count[:, None]))
        super().advance(state, chosen)


@dataclass(frozen=True)
class AdaptiveBar(CommitRule):
    """Every open slot surer than the mean confidence at which slots were committed; at least the n surest.

    Before the first commit the bar is 1. own: `last` [B, C] (confidence at the forward before, 0 before the first one,
    minus infinity out of scope), `held` [B, C] (at the last commit; masking a slot again does not erase it), `rise`
    [B, C] (the change since the forward before, infinite where there is none). Needs `Remasking`'s scope.
    """

    memory: ClassVar[Names] = ("last", "held", "rise")
    values = ("n",)

    def start(self, state: State) -> None:
        """Nothing seen, nothing committed."""
        zero = torch.zeros(state.ids.shape, dtype=torch.float64, device=state.ids.device)
        state.own["last"], state.own["held"] = zero, torch.full_like(zero, -torch.inf)
        state.own["rise"] = torch.full_like(zero, torch.inf)

    def select(self, state: State, plan: Plan, cost: Tensor) -> Tensor:
        """Slots above the bar, or the n surest."""
        own, confidence = state.own, -cost
        rise = confidence - own["last"]
        own["rise"], own["last"] = torch.where(rise.isfinite(), rise, torch.inf), confidence
        chosen = plan.eligible & (confidence > self.bar(own["held"], plan.scored)[:, None])
        few = chosen.sum(1) < state.values["n"]
        chosen = torch.where(few[:, None], self.surest(state, plan, cost), chosen)
        own["held"] = torch.where(chosen, confidence, own["held"])
        return chosen

    def bar(self, held: Tensor, scope: Tensor) -> Tensor:
        """[B]: the mean of the known confidences `held` [B, C] in the scope, 1 where none is known."""
        known = scope & held.isfinite()
        count = known.sum(1)
        return torch.where(count > 0, torch.where(known, held, 0).sum(1) / count.clamp_min(1), 1)

    def surest(self, state: State, plan: Plan, cost: Tensor) -> Tensor:
        """[B, C]: the n surest eligible slots, or what there is."""
        return plan.eligible & (ranked(cost, plan.eligible) < state.values["n"][:, None])
