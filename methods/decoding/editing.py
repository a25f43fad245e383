"""LLaDA2.1's joint threshold decoding (Bie et al. 2026, arXiv:2602.08676): masks are filled and tokens are edited.

Read in SGLang 0.5.23, srt/dllm/algorithm/joint_threshold.py. Each forward scores every slot of the block. A block is
left after a forward that changes nothing; that forward is counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from methods.decoding.blocks import Sequential
from methods.decoding.commit import lowest
from methods.decoding.policies import CommitRule, Names
from methods.decoding.scores import Score
from methods.decoding.state import Plan, State


@dataclass(frozen=True)
class Settled(Sequential):
    """Blocks in turn, all slots of a block eligible, filled ones too; left when a forward writes nothing there."""

    def plan(self, state: State) -> Plan:
        """The block's slots, and what is open before it."""
        plan = super().plan(state)
        plan.eligible = plan.scored = plan.eligible | (state.gen & state.inside(state.own["span"]))
        return plan

    def advance(self, state: State, chosen: Tensor) -> None:
        """On to the next block after a forward that chose nothing; done after that of the last one."""
        state.own["step"] = state.own["step"] + 1
        still = ~chosen.any(1)
        state.done = state.done | (still & ~state.open.any(1))
        self.leave(state, still)


@dataclass(frozen=True)
class JointThreshold(CommitRule):
    """Masks surer than `threshold`, at least the surest; and tokens whose slot now prefers another one.

    A token is edited when the best one differs and exceeds `edit_threshold` (0: whenever it differs), in every forward
    while the block has masks, and in `max_post_edit_steps` more. own: `unmasked` [B], the block's forwards without
    masks. Needs `Settled`.
    """

    memory: ClassVar[Names] = ("unmasked",)
    needs = ("step",)
    values = ("threshold", "edit_threshold", "max_post_edit_steps")

    def start(self, state: State) -> None:
        """No forward yet."""
        state.own["unmasked"] = torch.zeros_like(state.total)

    def select(self, state: State, plan: Plan, cost: Tensor) -> Tensor:
        """Slots to fill and slots to edit."""
        masked, sure = plan.eligible & state.open, -cost
        some = masked.any(1)
        filled = masked & (sure > state.values["threshold"][:, None])
        filled = filled | (lowest(cost, masked) & ~filled.any(1, keepdim=True))
        spent = torch.where(state.own["step"] == 0, 0, state.own["unmasked"]) + ~some
        state.own["unmasked"] = spent
        may = (some | (spent <= state.values["max_post_edit_steps"]))[:, None]
        differs = plan.eligible & ~state.open & (state.tokens != state.ids)
        return filled | (differs & may & (sure > state.values["edit_threshold"][:, None]))


@dataclass(frozen=True)
class RepeatPenalty(Score):
    """`Score` after `penalty_lambda` is taken off the logit of the token on the slot's left, within its block."""

    needs: ClassVar[Names] = ("span",)
    values: ClassVar[Names] = ("penalty_lambda",)

    def __call__(self, logits: Tensor, state: State, row: Tensor, pos: Tensor) -> tuple[Tensor, Tensor]:
        """(token [N], cost [N] float64) of `logits` [N, V]."""
        inside = pos > state.own["span"][row, 0]
        penalty = torch.where(inside, state.values["penalty_lambda"][row], 0).to(logits.dtype)
        left = state.ids[row, (pos - 1).clamp_min(0)]
        return super().__call__(logits.scatter_add(1, left[:, None], -penalty[:, None]), state, row, pos)
