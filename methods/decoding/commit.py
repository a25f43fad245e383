"""Commit rules: which eligible slots become tokens after a forward."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from methods.decoding.rows import Plan, Rows


def ranked(cost: Tensor, eligible: Tensor) -> Tensor:
    """[B, C]: 0 for the lowest eligible cost of a row, and so on; equal costs rank by position."""
    return torch.where(eligible, cost, torch.inf).argsort(dim=1, stable=True).argsort(dim=1)


def lowest(cost: Tensor, among: Tensor) -> Tensor:
    """[B, C]: True on the lowest cost of `among` in each row (the leftmost of equals), nowhere if there is none."""
    held = torch.where(among, cost, torch.inf)
    best = torch.zeros_like(among).scatter_(1, held.argmin(1, keepdim=True), True)
    return best & among


def progress(rows: Rows, plan: Plan, cost: Tensor, chosen: Tensor) -> Tensor:
    """`chosen` and, where it misses the span that must progress, that span's lowest cost."""
    assert plan.must is not None
    span = (rows.shape.pos >= plan.must[:, :1]) & (rows.shape.pos < plan.must[:, 1:])
    short = ~(chosen & span).any(1, keepdim=True)
    return chosen | (lowest(cost, plan.eligible & span) & short)


@dataclass(frozen=True)
class Threshold:
    """Every slot whose cost is under the threshold; the span that must progress gets at least its best one.

    The setting `threshold` is an entropy, or with `confidence` a probability to exceed. The test is strict, so that
    entropy 0 and confidence 1 let nothing pass and give exactly one token a forward.
    """

    confidence: bool = False

    def start(self, rows: Rows) -> None:
        """Nothing to remember."""

    def select(self, rows: Rows, plan: Plan, cost: Tensor) -> Tensor:
        """Slots under the threshold, and the forced one."""
        limit = rows.values["threshold"][:, None]
        chosen = plan.eligible & (cost < (-limit if self.confidence else limit))
        return progress(rows, plan, cost, chosen)


def steps_of(rows: Rows) -> Tensor:
    """[B]: forwards a block gets, from the setting `steps` or from `tokens_per_step`."""
    if "steps" in rows.values:
        return rows.values["steps"]
    each = rows.values["tokens_per_step"]
    return (rows.values["block_size"] + each - 1) // each


@dataclass(frozen=True)
class Quota:
    """A fixed number of tokens a forward: the block's slots spread evenly over `steps`, more in the first ones.

    LLaDA's low-confidence schedule (Nie et al. 2025, appendix A.3). Needs `Sequential`'s step in the block.
    own: `each`, `extra` [B].
    """

    def start(self, rows: Rows) -> None:
        """How many slots a forward, and in how many forwards one more."""
        size, steps = rows.values["block_size"], steps_of(rows)
        rows.own["each"], rows.own["extra"] = size // steps, size % steps

    def select(self, rows: Rows, plan: Plan, cost: Tensor) -> Tensor:
        """The surest `quota` slots."""
        quota = rows.own["each"] + (rows.own["step"] < rows.own["extra"])
        return plan.eligible & (ranked(cost, plan.eligible) < quota[:, None])


@dataclass(frozen=True)
class Factor:
    """The longest run of ranks n = 1, 2, ... whose confidence exceeds 1 - factor / (n + 1); the first always.

    Fast-dLLM (Wu et al. 2025), section 3.3: as many tokens as still factorise. upstream: that code also takes the
    last rank when it is the one that fails, and compares with >=.
    """

    upstream: bool = False

    def start(self, rows: Rows) -> None:
        """Nothing to remember."""

    def select(self, rows: Rows, plan: Plan, cost: Tensor) -> Tensor:
        """The longest passing prefix of the ranking."""
        rank = ranked(cost, plan.eligible)
        bar = 1 - rows.values["factor"][:, None] / (rank + 2)
        fails = plan.eligible & (rank > 0) & ((-cost < bar) if self.upstream else (-cost <= bar))
        count = plan.eligible.sum(1, keepdim=True)
        first = torch.where(fails, rank, count).amin(1, keepdim=True)
        if self.upstream:
            first = torch.where(first == count - 1, count, first)
        return plan.eligible & (rank < first)


@dataclass(frozen=True)
class PerBlock:
    """Each active block on its own: all slots above the confidence threshold; a complete block at least its best.

    D2F (Wang et al. 2025), section 3.3. Needs `Growing`'s memory: `block_of` and `complete`.
    """

    def start(self, rows: Rows) -> None:
        """Nothing to remember."""

    def select(self, rows: Rows, plan: Plan, cost: Tensor) -> Tensor:
        """Slots above the threshold, and the best one of each complete block that has none."""
        chosen = plan.eligible & (-cost > rows.values["threshold"][:, None])
        block, complete = rows.own["block_of"], rows.own["complete"]
        count = complete.shape[1]
        some = torch.zeros(len(rows), count, dtype=torch.long, device=cost.device)
        some = some.scatter_add(1, block, chosen.long()) > 0
        held = torch.where(plan.eligible, cost, torch.inf)
        best = torch.full((len(rows), count), torch.inf, dtype=cost.dtype, device=cost.device)
        best = best.scatter_reduce(1, block, held, "amin")
        ties = plan.eligible & (held == best.gather(1, block))
        place = torch.where(ties, rows.shape.pos, rows.shape.width)
        leftmost = torch.full_like(complete, rows.shape.width, dtype=torch.long).scatter_reduce(1, block, place, "amin")
        forced = ties & (place == leftmost.gather(1, block)) & (complete & ~some).gather(1, block)
        return chosen | forced
