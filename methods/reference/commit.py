"""Commit rules and the score of the published decoders as they really behave; each defect is one named class.

Repositories: hao-ai-lab/d3LLM e5bfcac, BHmingyang/TAD 5e2aaf8, NVlabs/Fast-dLLM 24cc59e. docs/definitions.md lists
the defects, which the default fidelity repairs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from methods.decoding.commit import Factor, Quota, lowest, ranked
from methods.decoding.policies import CommitRule
from methods.decoding.scores import Score
from methods.decoding.state import Plan, State


@dataclass(frozen=True)
class ReferenceThreshold(CommitRule):
    """A threshold rule of the references, each with its own comparison and its own idea of the guaranteed token.

    strict: cost < threshold, else <=. best: `always` the lowest cost of all eligible slots too, `if_none` only when
    nothing passed, `never`. forced: afterwards the span `must_commit` gets its lowest cost if it got nothing.
    confidence: the cost is minus a probability.
    """

    values = ("threshold",)

    strict: bool
    best: str = "always"
    forced: bool = False
    confidence: bool = False

    def select(self, state: State, plan: Plan, cost: Tensor) -> Tensor:
        """Slots that pass, and the guaranteed ones."""
        limit = state.values["threshold"][:, None]
        limit = -limit if self.confidence else limit
        chosen = plan.eligible & ((cost < limit) if self.strict else (cost <= limit))
        if self.best != "never":
            short = ~chosen.any(1, keepdim=True)
            chosen = chosen | (lowest(cost, plan.eligible) & (short if self.best == "if_none" else True))
        return self._force(state, plan, cost, chosen) if self.forced else chosen

    def _force(self, state: State, plan: Plan, cost: Tensor, chosen: Tensor) -> Tensor:
        """The references take an argmin over the span with +inf outside: with nothing eligible, the span's start."""
        span = state.inside(plan.must_commit)
        short = ~(chosen & span).any(1, keepdim=True)
        held = torch.where(plan.eligible & span, cost, torch.finfo(cost.dtype).max)
        return chosen | (lowest(held, span) & short)


@dataclass(frozen=True)
class LinearQuota(CommitRule):
    """Dream's schedule: int(m (1 - s/t)) of the m open slots with t, s on linspace(1, eps); the last step takes all.

    The truncation gives forwards that commit nothing at first and two or more later. first_one: the forward that
    begins a block (Fast-dLLM's cache decoders for Dream) commits the one eligible slot. A block gets `steps` forwards,
    or as many as `tokens_per_step` needs. own: `shares` [B, steps].
    """

    memory = ("shares",)
    needs = ("step",)
    values = ("eps",)

    first_one: bool = False

    def start(self, state: State) -> None:
        """The share of every step, in float32 as the references compute it."""
        steps = _steps(state).tolist()
        shares = torch.zeros(len(state), state.shape.width + 1)
        for row, (count, eps) in enumerate(zip(steps, state.values["eps"].tolist(), strict=True)):
            times = torch.linspace(1, eps, int(count) + 1)
            used = min(int(count), shares.shape[1])
            shares[row, :used] = (1 - times[1:] / times[:-1])[:used]
        state.own["shares"] = shares.to(state.ids.device)

    def select(self, state: State, plan: Plan, cost: Tensor) -> Tensor:
        """The surest int(m * share) slots."""
        step, steps = state.own["step"], _steps(state)
        left = plan.eligible.sum(1)
        share = state.own["shares"].gather(1, step[:, None].clamp_max(state.own["shares"].shape[1] - 1))[:, 0]
        quota = torch.where(step < steps - 1, (left.float() * share).long(), left)
        quota = torch.where(step < steps, quota, 0)
        if self.first_one:
            quota = torch.where(step == 0, 1, quota)
        return plan.eligible & (ranked(cost, plan.eligible) < quota[:, None])


@dataclass(frozen=True)
class CarriedQuota(CommitRule):
    """Dream's `confidence_threshold`: masks/steps slots per forward, those under the threshold are carried over.

    The best one always passes. In the last step a refused slot extends the number of steps by one, and from then on
    only carried slots are tried. own: `carried`, `length` (the number of steps), `portion`; `step` is `Sequential`'s.
    """

    memory = ("carried", "length", "portion")
    needs = ("step",)
    values = ("threshold", "steps")

    def start(self, state: State) -> None:
        """Nothing carried yet."""
        state.own["carried"] = torch.zeros_like(state.total)
        state.own["length"] = state.values["steps"].clone()
        state.own["portion"] = (state.total - state.prompt) // state.values["steps"]

    def select(self, state: State, plan: Plan, cost: Tensor) -> Tensor:
        """The `portion + carried` surest, less those under the threshold."""
        step, length, portion = state.own["step"], state.own["length"], state.own["portion"]
        tried = plan.eligible & (ranked(cost, plan.eligible) < (portion + state.own["carried"])[:, None])
        chosen = (tried & (-cost >= state.values["threshold"][:, None])) | lowest(cost, tried)
        refused = (tried & ~chosen).sum(1)
        extend = (step >= length - 1) & (refused > 0)
        state.own["length"] = length + extend
        state.own["portion"] = torch.where(extend, 0, portion)
        state.own["carried"] = refused
        return chosen


@dataclass(frozen=True)
class StepQuota(Quota):
    """LLaDA's schedule with the forwards of a block given, not the tokens per forward."""

    values = ("block_size", "steps")

    def steps(self, state: State) -> Tensor:
        """[B]: the forwards of a block."""
        return state.values["steps"]


@dataclass(frozen=True)
class ReferenceFactor(Factor):
    """Fast-dLLM's factor rule: passes by equality too, and takes the last rank when it is the one that fails."""

    def fails(self, confidence: Tensor, bar: Tensor) -> Tensor:
        """[B, C]: whether a slot does not pass its rank's bar."""
        return confidence < bar

    def length(self, first: Tensor, count: Tensor) -> Tensor:
        """[B, 1]: the ranks before the first that fails; all of them if that is the last."""
        return torch.where(first == count - 1, count, first)


@dataclass(frozen=True)
class ReferenceScore(Score):
    """The references' arithmetic, in float64: theirs or, where they rank in the model's dtype, its ties broken.

    eps: added inside the logarithm of the entropy; None is the exact entropy.
    top_k: only the k best logits enter the cost. Dream's samplers hand on what their caller gave: the evaluators give
    null (none), a caller that leaves it out gets the 50 of transformers' GenerationConfig.
    """

    eps: float | None = None
    top_k: int | None = None
    dtype: ClassVar[torch.dtype] = torch.float64

    def visible(self, logits: Tensor) -> Tensor:
        """The logits with all but the `top_k` best at the lowest number of their type."""
        if self.top_k is None or self.top_k >= logits.shape[-1]:
            return logits
        least = logits.topk(self.top_k, dim=-1).values[:, -1:]
        return logits.masked_fill(logits < least, torch.finfo(logits.dtype).min)

    def entropy(self, probs: Tensor) -> Tensor:
        """[N]: in nats, a little off by `eps`."""
        return super().entropy(probs) if self.eps is None else -(probs * torch.log(probs + self.eps)).sum(-1)


def _steps(state: State) -> Tensor:
    """[B]: the forwards a block gets."""
    if "steps" in state.values:
        return state.values["steps"]
    each = state.values["tokens_per_step"]
    return (state.values["block_size"] + each - 1) // each
