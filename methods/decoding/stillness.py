"""KLASS (Kim et al. 2025, arXiv:2511.05664): a slot is committed when the model is sure and has stopped changing."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from methods.decoding.blocks import Sequential
from methods.decoding.commit import progress, ranked
from methods.decoding.policies import CommitRule, Scorer
from methods.decoding.scores import CONFIDENCE
from methods.decoding.state import Plan, State


def forwards_per_block(state: State) -> Tensor:
    """[B]: LLaDA's schedule: `steps` forwards shared evenly by the blocks of a generation; 0: one for every slot."""
    size, steps = state.values["block_size"], state.values["steps"]
    blocks = (state.total - state.prompt + size - 1) // size
    return torch.where(steps > 0, steps // blocks, size).clamp_min(1)


@dataclass(frozen=True)
class Ahead(Sequential):
    """Blocks in turn; the next one is scored too, so that its slots have a past when their turn comes."""

    uncached = "scores the next block as well"

    def plan(self, state: State) -> Plan:
        """The current block is eligible, two blocks are scored."""
        plan = super().plan(state)
        plan.scored = state.open & (state.shape.pos < plan.must_commit[:, 1:] + state.values["block_size"][:, None])
        return plan


@dataclass(frozen=True)
class Stillness(Scorer):
    """The score of a slot and, in `state.own["still"]` [B, C], for how many forwards it has hardly moved.

    A slot is still in a forward when KL(now || forward before) is under `kl_threshold` nats. kept: consecutive
    positions that are scored at most, 0 for the whole canvas, each with its last log-probabilities [B, kept, V].
    """

    kept: int
    score: Scorer = CONFIDENCE
    memory = ("log_probs", "seen", "still")
    values = ("kl_threshold",)

    def start(self, state: State) -> None:
        """No distribution yet."""
        kept = min(self.kept or state.shape.width, state.shape.width)
        state.own["log_probs"] = torch.zeros(len(state), kept, state.shape.vocab, device=state.ids.device)
        state.own["seen"] = torch.full_like(state.ids, -1)
        state.own["still"] = torch.zeros_like(state.ids)

    def __call__(self, logits: Tensor, state: State, row: Tensor, pos: Tensor) -> tuple[Tensor, Tensor]:
        """Token and cost; updates `still`."""
        own = state.own
        place = pos % own["log_probs"].shape[1]
        now = self.log_probs(logits)
        moved = (now.exp() * (now - own["log_probs"][row, place])).sum(-1).clamp_min(0)  # rounding may go below 0
        still = (own["seen"][row, pos] == state.forwards[row]) & (moved < state.values["kl_threshold"][row])
        own["still"][row, pos] = torch.where(still, own["still"][row, pos] + 1, 0)
        own["seen"][row, pos] = state.forwards[row] + 1
        own["log_probs"][row, place] = now
        return self.score(logits, state, row, pos)

    def log_probs(self, logits: Tensor) -> Tensor:
        """[N, V]: what is compared from forward to forward."""
        return logits.float().log_softmax(-1)


@dataclass(frozen=True)
class SureAndStill(CommitRule):
    """Slots above the confidence threshold that were still for `history` forwards; else the block's surest ones.

    The first `history` - 1 forwards of a block look at no history (as in the authors' code). Where no slot is ready,
    as many as LLaDA's schedule of `steps` asks for are committed, one at least. own: `each`, `extra` [B].
    """

    memory = ("each", "extra")
    needs = ("still", "step")
    needs_span = True
    values = ("threshold", "history", "steps", "block_size")

    def start(self, state: State) -> None:
        """The schedule of a block, by which slots are committed where none is ready."""
        size, steps = state.values["block_size"], forwards_per_block(state)
        state.own["each"], state.own["extra"] = size // steps, size % steps

    def select(self, state: State, plan: Plan, cost: Tensor) -> Tensor:
        """`cost` is minus the confidence."""
        history = state.values["history"]
        still = (state.own["still"] >= history[:, None]) & (state.own["step"] >= history - 1)[:, None]
        ready = plan.eligible & still & (-cost > state.values["threshold"][:, None])
        quota = self.quota(state)[:, None]
        others = plan.eligible & (ranked(cost, plan.eligible) < quota) & ~ready.any(1, keepdim=True)
        return self.ensure(state, plan, cost, ready | others)

    def quota(self, state: State) -> Tensor:
        """[B]: slots that the schedule asks for in this forward."""
        return state.own["each"] + (state.own["step"] < state.own["extra"])

    def ensure(self, state: State, plan: Plan, cost: Tensor, chosen: Tensor) -> Tensor:
        """`chosen`, and one slot of the block where that is none."""
        return progress(state, plan, cost, chosen)
