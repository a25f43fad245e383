"""The one piece of dInfer's hierarchical decoding that the harness does not have, and the decoder made of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from methods.decoding import CommitRule, Decoder, Ignore, NoCache, Plan, Score, Sequential, State, divides, progress


@dataclass(frozen=True)
class Hierarchy(CommitRule):
    """Slots above the threshold, the surest of each run of open slots above the low one; else the block's surest."""

    values = ("threshold", "low_threshold")
    needs_span = True

    def select(self, state: State, plan: Plan, cost: Tensor) -> Tensor:
        """`cost` is minus the confidence."""
        bar, low = (state.values[name][:, None] for name in self.values)
        run = (~plan.eligible).cumsum(1)  # the same number on all slots of a run
        best = torch.full_like(cost, torch.inf).scatter_reduce(1, run - run[:, :1], cost, "amin")
        tops = plan.eligible & (cost == best.gather(1, run - run[:, :1]))
        chosen = plan.eligible & ((-cost > bar) | (tops & (-cost > low)))
        return progress(state, plan, cost, chosen)


def build(settings: Mapping[str, float | int]) -> Decoder:
    """The decoder of one setting; the same on every architecture and in both fidelities."""
    need = (divides("block_size", int(settings["block_size"])),)
    return Decoder(Sequential(), NoCache(), Hierarchy(), Ignore(), Score("probability"), settings, need=need)
