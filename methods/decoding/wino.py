"""WINO (Hong et al. 2025, arXiv:2507.18578): drafts widely, and masks again what a leave-one-out view doubts.

Read in Feng-Hong/WINO-DLLM@9549a1d, LLaDA/decoding.py. Behind the canvas every forward computes a shadow of the block:
as many masks, at the positions of its slots. A shadow slot reads the canvas except its own twin, and the other shadow
slots; the canvas does not read the shadow. It judges the twin's token without attending to it, though what the other
slots have read of that token still reaches it from the second layer on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from methods.decoding.appended import Appended
from methods.decoding.blocks import Sequential
from methods.decoding.commit import lowest, ranked
from methods.decoding.policies import CommitRule, Names
from methods.decoding.scores import Score
from methods.decoding.state import Plan, State

FIRST_LIMIT = 30  # the reference's stand-in for "as many as the step before filled" in a block's first step
SHARE, FEWEST, MOST = 0.7, 5, 20  # of a block's masks, how many one forward may fill


@dataclass(frozen=True)
class Verified(Sequential):
    """Blocks in turn with a shadow; a step that fills more than one slot masks doubted ones again.

    Doubted: slots filled before this forward whose token the shadow gives less than `threshold_back`; fewer of them
    than the step before filled, the most doubted first. Needs `Shadowed`. own: `unverified` [B, C] (slots of the block
    filled before the coming forward), `limit` [B] (slots that the step before filled).
    """

    memory: ClassVar[Names] = (*Sequential.memory, "unverified", "limit")
    needs = ("backed",)
    values = ("block_size", "threshold_back")
    uncached: ClassVar[str] = "appends positions to the canvas"
    appends: ClassVar[bool] = True

    def start(self, state: State) -> None:
        """The first block, nothing filled."""
        super().start(state)
        state.own["unverified"] = torch.zeros_like(state.open)
        state.own["limit"] = torch.full_like(state.total, FIRST_LIMIT)

    def appended(self, state: State, plan: Plan) -> Appended:
        """The block's shadow; scored where its twin may be doubted."""
        span, canvas = state.own["span"], state.shape.width
        length = span[:, 1] - span[:, 0]
        spot = torch.arange(int(length.max()), device=state.ids.device)[None]
        used = spot < length[:, None]
        twin = (span[:, :1] + spot).clamp_max(canvas - 1)
        reads = torch.ones(*used.shape, canvas + spot.shape[1], dtype=torch.bool, device=state.ids.device)
        reads.scatter_(2, twin[:, :, None], False)
        scored = used & state.own["unverified"].gather(1, twin)
        return Appended(torch.full_like(twin, state.shape.placeholder), twin, reads, used, scored)

    def advance(self, state: State, chosen: Tensor) -> None:
        """Mask the doubted again, then go on; a block that is left is never judged again."""
        own, filled = state.own, chosen.sum(1)
        judged = own["unverified"] & ~state.open & (filled > 1)[:, None]
        doubted = judged & (own["backed"] < state.values["threshold_back"][:, None])
        most = torch.where(doubted.sum(1) >= own["limit"], own["limit"] - 1, state.shape.width)
        doubted = doubted & (ranked(own["backed"], doubted) < most[:, None])
        state.reopen(doubted)
        super().advance(state, chosen)
        begins = own["step"] == 0
        own["unverified"] = (own["unverified"] | chosen) & ~doubted & ~begins[:, None]
        own["limit"] = torch.where(begins, FIRST_LIMIT, filled)


@dataclass(frozen=True)
class Drafted(CommitRule):
    """Open slots surer than `threshold`, the surest at least, 0.7 of the block's masks (5 to 20) at most."""

    values = ("threshold",)

    def select(self, state: State, plan: Plan, cost: Tensor) -> Tensor:
        """Slots to fill."""
        most = (plan.eligible.sum(1) * SHARE).long().clamp(FEWEST, MOST)
        passing = plan.eligible & (-cost > state.values["threshold"][:, None])
        chosen = passing & (ranked(cost, passing) < most[:, None])
        return chosen | (lowest(cost, plan.eligible) & ~chosen.any(1, keepdim=True))


@dataclass(frozen=True)
class Shadowed(Score):
    """`Score`, and the shadow's probability of the tokens that stand. Needs `Verified`. own: `backed` [B, C]."""

    memory: ClassVar[Names] = ("backed",)
    needs: ClassVar[Names] = ("span",)
    pure: ClassVar[bool] = False  # the shadow is read in every forward

    def start(self, state: State) -> None:
        """Nothing judged; slots that are not count as certain."""
        state.own["backed"] = torch.ones(state.ids.shape, dtype=torch.float64, device=state.ids.device)

    def appended(self, logits: Tensor, state: State, row: Tensor, spot: Tensor) -> None:
        """Note the probability of the twin's token."""
        pos = state.own["span"][row, 0] + spot
        probs = torch.softmax(logits.to(torch.promote_types(logits.dtype, self.dtype)), -1)
        state.own["backed"][row, pos] = probs.gather(1, state.ids[row, pos][:, None])[:, 0].double()
