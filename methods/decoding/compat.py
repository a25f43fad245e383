"""The reference decoders as they really behave, quirks included; each quirk is one named policy.

Repositories: hao-ai-lab/d3LLM e5bfcac, BHmingyang/TAD 5e2aaf8, NVlabs/Fast-dLLM 24cc59e. The multi-block decoders and
their delayed cache are in `compat_multi`. docs/definitions.md lists the defects; the default fidelity repairs them.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from methods.decoding.blocks import Sequential, whole
from methods.decoding.commit import lowest, ranked, steps_of
from methods.decoding.rows import Plan, Rows


@dataclass(frozen=True)
class Cut:
    """A threshold rule of the references, each with its own comparison and its own idea of the guaranteed token.

    strict: cost < threshold, else <=. best: `always` the lowest cost of all eligible slots too, `if_none` only when
    nothing passed, `never`. forced: afterwards the span that must progress gets its lowest cost if it got nothing.
    confidence: the cost is minus a probability.
    """

    strict: bool
    best: str = "always"
    forced: bool = False
    confidence: bool = False

    def start(self, rows: Rows) -> None:
        """Nothing to remember."""

    def select(self, rows: Rows, plan: Plan, cost: Tensor) -> Tensor:
        """Slots that pass, and the guaranteed ones."""
        limit = rows.values["threshold"][:, None]
        limit = -limit if self.confidence else limit
        chosen = plan.eligible & ((cost < limit) if self.strict else (cost <= limit))
        if self.best != "never":
            short = ~chosen.any(1, keepdim=True)
            chosen = chosen | (lowest(cost, plan.eligible) & (short if self.best == "if_none" else True))
        return self._force(rows, plan, cost, chosen) if self.forced else chosen

    def _force(self, rows: Rows, plan: Plan, cost: Tensor, chosen: Tensor) -> Tensor:
        """The references take an argmin over the span with +inf outside: with nothing eligible, the span's start."""
        assert plan.must is not None
        span = (rows.shape.pos >= plan.must[:, :1]) & (rows.shape.pos < plan.must[:, 1:])
        short = ~(chosen & span).any(1, keepdim=True)
        held = torch.where(plan.eligible & span, cost, torch.finfo(cost.dtype).max)
        return chosen | (lowest(held, span) & short)


@dataclass(frozen=True)
class LinearQuota:
    """Dream's schedule: int(m (1 - s/t)) of the m open slots with t, s on linspace(1, eps); the last step takes all.

    The truncation gives forwards that commit nothing at first and two or more later. first_one: the forward that
    begins a block (Fast-dLLM's cache decoders for Dream) commits the one eligible slot. own: `shares` [B, steps].
    """

    first_one: bool = False

    def start(self, rows: Rows) -> None:
        """The share of every step, in float32 as the references compute it."""
        steps = steps_of(rows).tolist()
        shares = torch.zeros(len(rows), rows.shape.width + 1)
        for row, (count, eps) in enumerate(zip(steps, rows.values["eps"].tolist(), strict=True)):
            times = torch.linspace(1, eps, int(count) + 1)
            used = min(int(count), shares.shape[1])
            shares[row, :used] = (1 - times[1:] / times[:-1])[:used]
        rows.own["shares"] = shares.to(rows.ids.device)

    def select(self, rows: Rows, plan: Plan, cost: Tensor) -> Tensor:
        """The surest int(m * share) slots."""
        step, steps = rows.own["step"], steps_of(rows)
        left = plan.eligible.sum(1)
        share = rows.own["shares"].gather(1, step[:, None].clamp_max(rows.own["shares"].shape[1] - 1))[:, 0]
        quota = torch.where(step < steps - 1, (left.float() * share).long(), left)
        quota = torch.where(step < steps, quota, 0)
        if self.first_one:
            quota = torch.where(step == 0, 1, quota)
        return plan.eligible & (ranked(cost, plan.eligible) < quota[:, None])


@dataclass(frozen=True)
class CarriedQuota:
    """Dream's `confidence_threshold`: masks/steps slots a forward, those under the threshold are carried over.

    The best one always passes. In the last step a refused slot extends the number of steps by one, and from then on
    only carried slots are tried. own: `carried`, `length` (the number of steps), `step` comes from `Sequential`.
    """

    def start(self, rows: Rows) -> None:
        """Nothing carried yet."""
        rows.own["carried"] = torch.zeros_like(rows.total)
        rows.own["length"] = rows.values["steps"].clone()
        rows.own["portion"] = (rows.total - rows.prompt) // rows.values["steps"]

    def select(self, rows: Rows, plan: Plan, cost: Tensor) -> Tensor:
        """The `portion + carried` surest, less those under the threshold."""
        step, length, portion = rows.own["step"], rows.own["length"], rows.own["portion"]
        tried = plan.eligible & (ranked(cost, plan.eligible) < (portion + rows.own["carried"])[:, None])
        chosen = (tried & (-cost >= rows.values["threshold"][:, None])) | lowest(cost, tried)
        refused = (tried & ~chosen).sum(1)
        extend = (step >= length - 1) & (refused > 0)
        rows.own["length"] = length + extend
        rows.own["portion"] = torch.where(extend, 0, portion)
        rows.own["carried"] = refused
        return chosen


@dataclass(frozen=True)
class FirstTokenOnly(Sequential):
    """Fast-dLLM's cache decoders for Dream: the full forward that begins a block commits its first token, no more.

    With a quota, a block is also left after `steps` further forwards, full or not (which happens with one step).
    """

    quota: bool = False

    def plan(self, rows: Rows) -> Plan:
        """At the block's first forward only its first slot is eligible; later the block itself."""
        span = rows.own["span"]
        inside = (rows.shape.pos >= span[:, :1]) & (rows.shape.pos < span[:, 1:])
        first = (rows.own["step"] == 0)[:, None]
        eligible = rows.open & inside & (~first | (rows.shape.pos == span[:, :1]))
        return whole(rows, eligible, span)

    def advance(self, rows: Rows, chosen: Tensor) -> None:
        """As `Sequential`, or out of patience."""
        span = rows.own["span"]
        inside = (rows.shape.pos >= span[:, :1]) & (rows.shape.pos < span[:, 1:])
        rows.own["step"] = rows.own["step"] + 1
        full = ~(rows.open & inside).any(1) & (rows.own["step"] >= self.least)
        if self.quota:
            full = full | (rows.own["step"] > rows.values["steps"])
        rows.done = rows.done | (full & ((span[:, 1] >= rows.total) | ~rows.open.any(1)))
        self.leave(rows, full)


@dataclass(frozen=True)
class StopAtEos:
    """TAD's sequential decoders: the first EOS anywhere ends the row at once, with open slots left before it."""

    def apply(self, rows: Rows) -> None:
        """Fill the tail and finish."""
        ends = rows.is_eos()
        first = torch.where(ends, rows.shape.pos, rows.shape.width).amin(1, keepdim=True)
        rows.fill(rows.gen & (rows.shape.pos > first), int(rows.shape.eos[0]))
        rows.done = rows.done | ends.any(1)
