"""Commit rules: which eligible slots become tokens after a forward pass."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from methods.decoding.policies import CommitRule
from methods.decoding.state import Plan, State


def ranked(cost: Tensor, eligible: Tensor) -> Tensor:
    """[B, C]: 0 for the lowest eligible cost of a row, and so on; equal costs rank by position."""
    return torch.where(eligible, cost, torch.inf).argsort(dim=1, stable=True).argsort(dim=1)


def lowest(cost: Tensor, among: Tensor) -> Tensor:
    """[B, C]: True on the lowest cost of `among` in each row (the leftmost of equals), nowhere if there is none."""
    held = torch.where(among, cost, torch.inf)
    best = torch.zeros_like(among).scatter_(1, held.argmin(1, keepdim=True), True)
    return best & among


def progress(state: State, plan: Plan, cost: Tensor, chosen: Tensor) -> Tensor:
    """`chosen` and, where it holds nothing of the span `must_commit`, that span's lowest eligible cost."""
    span = state.inside(plan.must_commit)
    short = ~(chosen & span).any(1, keepdim=True)
    return chosen | (lowest(cost, plan.eligible & span) & short)


@dataclass(frozen=True)
class Threshold(CommitRule):
    """Every slot whose cost is under the threshold; of the span `must_commit` at least its best one.

    The setting `threshold` is an entropy, or with `confidence` a probability to exceed. The test is strict, so that
    entropy 0 and confidence 1 let nothing pass and commit exactly one token per forward pass.
    """

    confidence: bool = False
    values = ("threshold",)
    needs_span = True

    def select(self, state: State, plan: Plan, cost: Tensor) -> Tensor:
        """Slots under the threshold, and the forced one."""
        limit = state.values["threshold"][:, None]
        chosen = plan.eligible & (cost < (-limit if self.confidence else limit))
        return progress(state, plan, cost, chosen)


@dataclass(frozen=True)
class Quota(CommitRule):
    """A fixed number of tokens per forward: the block's slots spread evenly over its forwards, more in the first ones.

    LLaDA's low-confidence schedule (Nie et al. 2025, appendix A.3). Needs `Sequential`'s step in the block.
    A block gets block_size / `tokens_per_step` forwards, rounded up. own: `each`, `extra` [B].
    """

    memory = ("each", "extra")
    needs = ("step",)
    values = ("block_size", "tokens_per_step")

    def start(self, state: State) -> None:
        """How many slots per forward pass, and in how many passes one more."""
        size, steps = state.values["block_size"], self.steps(state)
        state.own["each"], state.own["extra"] = size // steps, size % steps

    def steps(self, state: State) -> Tensor:
        """[B]: the forwards of a block."""
        each = state.values["tokens_per_step"]
        return (state.values["block_size"] + each - 1) // each

    def select(self, state: State, plan: Plan, cost: Tensor) -> Tensor:
        """The surest `quota` slots."""
        quota = state.own["each"] + (state.own["step"] < state.own["extra"])
        return plan.eligible & (ranked(cost, plan.eligible) < quota[:, None])


@dataclass(frozen=True)
class Factor(CommitRule):
    """The longest run of ranks n = 1, 2, ... whose confidence exceeds 1 - factor / (n + 1); the first always.

    Fast-dLLM (Wu et al. 2025), section 3.3: as many tokens as still factorise.
    """

    values = ("factor",)

    def select(self, state: State, plan: Plan, cost: Tensor) -> Tensor:
        """The longest passing prefix of the ranking."""
        rank = ranked(cost, plan.eligible)
        bar = 1 - state.values["factor"][:, None] / (rank + 2)
        fails = plan.eligible & (rank > 0) & self.fails(-cost, bar)
        count = plan.eligible.sum(1, keepdim=True)
        first = torch.where(fails, rank, count).amin(1, keepdim=True)
        return plan.eligible & (rank < self.length(first, count))

    def fails(self, confidence: Tensor, bar: Tensor) -> Tensor:
        """[B, C]: whether a slot does not pass its rank's bar."""
        return confidence <= bar

    def length(self, first: Tensor, count: Tensor) -> Tensor:
        """[B, 1]: how many ranks are committed, `first` being the first one that fails, of `count`."""
        return first


@dataclass(frozen=True)
class PerBlock(CommitRule):
    """Each active block on its own: all slots above the confidence threshold; a complete block at least its best.

    D2F (Wang et al. 2025), section 3.3. Needs `Growing`.
    """

    needs = ("block_of", "complete")
    values = ("threshold",)

    def select(self, state: State, plan: Plan, cost: Tensor) -> Tensor:
        """Slots above the threshold, and the best one of each complete block that has none."""
        chosen = plan.eligible & (-cost > state.values["threshold"][:, None])
        block, complete = state.own["block_of"], state.own["complete"]
        count = complete.shape[1]
        some = torch.zeros(len(state), count, dtype=torch.long, device=cost.device)
        some = some.scatter_add(1, block, chosen.long()) > 0
        held = torch.where(plan.eligible, cost, torch.inf)
        best = torch.full((len(state), count), torch.inf, dtype=cost.dtype, device=cost.device)
        best = best.scatter_reduce(1, block, held, "amin")
        ties = plan.eligible & (held == best.gather(1, block))
        place = torch.where(ties, state.shape.pos, state.shape.width)
        leftmost = torch.full_like(complete, state.shape.width, dtype=torch.long).scatter_reduce(
            1, block, place, "amin"
        )
        forced = ties & (place == leftmost.gather(1, block)) & (complete & ~some).gather(1, block)
        return chosen | forced
