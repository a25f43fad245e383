"""Saber's published code where it differs from its rule: its top-k reaches slots that are no masks.

zhaoyMa/Saber@2f061e2, decoding.py. With fewer than n masks left in the scope `torch.topk` goes on among the slots that
it holds at minus infinity, in an order of its own. A filled slot among them gets its best token again, one right of the
block is filled ahead of its turn, and one of the prompt adds its confidence to the mean that is the bar.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from methods.decoding.saber import AdaptiveBar, Remasking
from methods.decoding.state import Plan, State


@dataclass(frozen=True)
class ScoredThroughout(Remasking):
    """`Remasking` that scores the whole canvas, for any slot may be taken."""

    def plan(self, state: State) -> Plan:
        """As the repaired one, prompt and later blocks scored too."""
        plan = super().plan(state)
        plan.scored = state.shape.pos < state.total[:, None]
        return plan


@dataclass(frozen=True)
class OverreachingBar(AdaptiveBar):
    """`AdaptiveBar` with the published top-k. Needs `ScoredThroughout`."""

    def select(self, state: State, plan: Plan, cost: Tensor) -> Tensor:
        """As the repaired rule on the scope; prompt slots count for the bar and stay as they are."""
        scope = state.shape.pos < state.own["span"][:, 1:]
        return super().select(state, plan, torch.where(scope, cost, torch.inf)) & state.gen

    def surest(self, state: State, plan: Plan, cost: Tensor) -> Tensor:
        """[B, C]: what torch.topk gives on each row alone, which is not always a mask."""
        chosen = super().surest(state, plan, cost)
        lacking = plan.eligible.sum(1) < state.values["n"]
        held = torch.where(plan.eligible, -cost, -torch.inf)
        for row in lacking.nonzero()[:, 0].tolist():
            total = int(state.total[row])
            taken = torch.topk(held[row, :total], min(int(state.values["n"][row]), total)).indices
            chosen[row, taken] = True
        return chosen
