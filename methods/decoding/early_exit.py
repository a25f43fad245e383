"""Prophet (Li et al. 2025, arXiv:2508.19982): stop decoding once the model has made up its mind about the answer.

The answer is known to stand behind words that are written into the canvas before the first forward. While the gap
between the two best logits of the answer's slots is small, tokens are committed by LLaDA's schedule; once it is wide
enough for the forwards spent, every open slot takes its best token.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from methods.decoding.blocks import Sequential
from methods.decoding.commit import progress, ranked
from methods.decoding.policies import CommitRule, Names, Scorer
from methods.decoding.scores import CONFIDENCE
from methods.decoding.state import Plan, State
from methods.decoding.stillness import forwards_per_block
from methods.errors import MethodsUsageError

ANSWER_SLOTS = 5  # whose gap is read, from `answer_start` on
SHARE = (203, 256)  # the authors' place of the answer: slot 203 of 256
GAPS = ("gap_early", "gap_mid", "gap_late")
EARLY, MID = 0.33, 0.67  # shares of the schedule at which the bar falls


def answer_slot(length: int) -> int:
    """The authors' place of the answer in a generation of `length` slots, such that its slots fit."""
    return max(0, min(length * SHARE[0] // SHARE[1], length - ANSWER_SLOTS))


@dataclass(frozen=True)
class Prefilled(Sequential):
    """Blocks in turn on a canvas some of whose slots hold words from the start; all open slots are scored.

    words: ids that stand right before the answer. pairs: (slot, id) that are written as they are. `answer_start`: slot
    of the answer, -1 for the authors' share of the generation. own: `answer` [B], the answer's absolute position.
    """

    words: tuple[int, ...] = ()
    pairs: tuple[tuple[int, int], ...] = ()
    memory = (*Sequential.memory, "answer")
    values = ("block_size", "answer_start")
    uncached = "reads the answer's slots in every forward"

    def start(self, state: State) -> None:
        """Write the words; the first block is the first with an open slot."""
        super().start(state)
        given = state.values["answer_start"]
        own = [answer_slot(length) for length in (state.total - state.prompt).tolist()]
        slot = torch.where(given >= 0, given, torch.tensor(own, device=given.device))
        state.own["answer"] = state.prompt + slot
        first = (slot - len(self.words)).clamp_min(0)
        for at, token in enumerate(self.words):
            self._write(state, state.prompt + first + at, token)
        for offset, token in self.pairs:
            self._write(state, state.prompt + offset, token)
        self.enter(state)

    def _write(self, state: State, pos: Tensor, token: int) -> None:
        if not 0 <= token < state.shape.vocab or token == state.shape.mask_id:
            raise MethodsUsageError(f"prefill holds the token id {token}, which no slot can hold; take another.")
        state.fill(state.gen & (state.shape.pos == pos[:, None]), token)

    def enter(self, state: State) -> None:
        """Go on to the first block that has an open slot."""
        ends = state.first(state.open) >= state.own["span"][:, 1]
        self.leave(state, ends & state.open.any(1))
        state.done = state.done | ~state.open.any(1)

    def leave(self, state: State, full: Tensor) -> None:
        """To the block of the first open slot: a block that was filled beforehand needs no forward."""
        size = state.values["block_size"]
        first = state.first(state.open, otherwise=state.total)
        start = state.prompt + (first - state.prompt) // size * size
        span = torch.minimum(torch.stack([start, start + size], 1), state.total[:, None])
        state.own["step"] = torch.where(full, 0, state.own["step"])
        state.own["span"] = torch.where(full[:, None], span, state.own["span"])

    def plan(self, state: State) -> Plan:
        """Every open slot is eligible, for an exit fills them all; the answer's slots are scored as well."""
        plan = super().plan(state)
        plan.eligible = state.open
        plan.scored = state.open | answer_slots(state)
        return plan


def answer_slots(state: State) -> Tensor:
    """[B, C]: the answer's slots."""
    start = state.own["answer"]
    return state.inside(torch.stack([start, torch.minimum(start + ANSWER_SLOTS, state.total)], 1))


@dataclass(frozen=True)
class TopGap(Scorer):
    """A score that also keeps the gap between the two best logits of every scored position.

    The mask id is none of the two. own: `gap` [B, C] (float32).
    """

    score: Scorer = CONFIDENCE
    memory = ("gap",)

    def start(self, state: State) -> None:
        """No gap yet."""
        state.own["gap"] = torch.zeros(state.ids.shape, dtype=torch.float64, device=state.ids.device)

    def __call__(self, logits: Tensor, state: State, row: Tensor, pos: Tensor) -> tuple[Tensor, Tensor]:
        """Token and cost; updates `gap`."""
        shown = logits
        if state.shape.mask_id is not None:
            shown = logits.clone()
            shown[:, state.shape.mask_id] = -torch.inf
        top = shown.topk(2, dim=-1).values.double()
        state.own["gap"][row, pos] = top[:, 0] - top[:, 1]
        return self.score(logits, state, row, pos)


@dataclass(frozen=True)
class EarlyExit(CommitRule):
    """LLaDA's schedule of `steps` forwards; everything at once when the answer's mean gap reaches the bar.

    The bar is `gap_early` in the first third of the schedule, `gap_mid` in the second, `gap_late` in the last.
    own: `each`, `extra` [B], the schedule of the block, from the slots that are open when it begins.
    """

    memory: ClassVar[Names] = ("each", "extra")
    needs = ("answer", "gap", "step")
    needs_span = True
    values = ("steps", "block_size", *GAPS)

    def start(self, state: State) -> None:
        """No block has begun."""
        state.own["each"], state.own["extra"] = torch.zeros_like(state.total), torch.zeros_like(state.total)

    def select(self, state: State, plan: Plan, cost: Tensor) -> Tensor:
        """The surest slots of the block, or all."""
        own, block = state.own, plan.eligible & state.inside(plan.must_commit)
        begins, count, steps = own["step"] == 0, block.sum(1), forwards_per_block(state)
        own["each"] = torch.where(begins, count // steps, own["each"])
        own["extra"] = torch.where(begins, count % steps, own["extra"])
        quota = own["each"] + (own["step"] < own["extra"])
        chosen = self.ensure(state, plan, cost, block & (ranked(cost, block) < quota[:, None]))
        return chosen | (plan.eligible & self.exits(state)[:, None])

    def ensure(self, state: State, plan: Plan, cost: Tensor, chosen: Tensor) -> Tensor:
        """`chosen`, and one slot of the block where that is none."""
        return progress(state, plan, cost, chosen)

    def exits(self, state: State) -> Tensor:
        """[B]: whether the answer's gap is wide enough for the share of the schedule that is spent."""
        slots = answer_slots(state)
        gap = torch.where(slots, state.own["gap"], 0).sum(1) / slots.sum(1)
        length = state.total - state.prompt
        steps = torch.where(state.values["steps"] > 0, state.values["steps"], length)
        spent = state.forwards.double() / steps  # this forward included
        early, mid, late = (state.values[name] for name in GAPS)
        return gap >= torch.where(spent < EARLY, early, torch.where(spent < MID, mid, late))
