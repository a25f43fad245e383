"""Commit rules that look at more than one slot at a time: a budget of entropy, and the neighbours of a sure slot."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad

from methods.decoding.commit import lowest, ranked
from methods.decoding.policies import CommitRule
from methods.decoding.state import Plan, State


@dataclass(frozen=True)
class EntropyBudget(CommitRule):
    """EB-Sampler (Ben-Hamu et al. 2025, arXiv:2505.24857): as many slots as their joint uncertainty affords.

    Slots in rising order of entropy; the sum of the first k entropies less the largest of them bounds the mutual
    information of committing k at once. The longest prefix whose bound stays under `gamma` is committed, one slot at
    least. The cost is an entropy in nats.
    """

    values = ("gamma",)

    def select(self, state: State, plan: Plan, cost: Tensor) -> Tensor:
        """The longest prefix within the budget."""
        ordered = torch.where(plan.eligible, cost, torch.inf).sort(dim=1, stable=True).values
        real = ordered < torch.inf
        fits = real & self.within(self.bound(torch.where(real, ordered, 0)), state.values["gamma"][:, None])
        return plan.eligible & (ranked(cost, plan.eligible) < fits.sum(1, keepdim=True).clamp_min(1))

    def bound(self, ordered: Tensor) -> Tensor:
        """[B, C]: the bound of every prefix of the rising entropies `ordered`: what lies before its last one."""
        return pad(ordered, (1, 0))[:, :-1].cumsum(1)

    def within(self, bound: Tensor, budget: Tensor) -> Tensor:
        """[B, C]: whether a prefix may be committed; strict, so that budget 0 commits one slot."""
        return bound < budget


@dataclass(frozen=True)
class Neighbourhood(CommitRule):
    """LocalLeap (Kong et al. 2025, arXiv:2510.07081): a lower bar close to where the model is sure.

    Anchors are slots whose confidence exceeds `threshold`. A slot at most `radius` positions from an anchor is
    committed above `relaxed_threshold`, any other above `threshold`; the surest slot of the span `must_commit` always.
    The cost is minus a probability.
    """

    values = ("threshold", "relaxed_threshold", "radius")
    needs_span = True

    def select(self, state: State, plan: Plan, cost: Tensor) -> Tensor:
        """Slots above the bar of their place, and the surest one."""
        bar, relaxed = (state.values[name][:, None] for name in ("threshold", "relaxed_threshold"))
        near = within_reach(plan.eligible & self.passes(-cost, bar), state.values["radius"])
        chosen = plan.eligible & self.passes(-cost, torch.where(near, relaxed, bar))
        return chosen | lowest(cost, plan.eligible & state.inside(plan.must_commit))

    def passes(self, confidence: Tensor, bar: Tensor) -> Tensor:
        """[B, C]: whether a slot is sure enough."""
        return confidence > bar


def within_reach(where: Tensor, radius: Tensor) -> Tensor:
    """[B, C]: positions at most `radius` [B] away from one of `where` [B, C]."""
    width = where.shape[1]
    count = pad(where.long().cumsum(1), (1, 0))
    pos = torch.arange(width, device=where.device)[None]
    last = (pos + radius[:, None] + 1).clamp_max(width)
    first = (pos - radius[:, None]).clamp_min(0)
    return count.gather(1, last) > count.gather(1, first)
