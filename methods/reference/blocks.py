"""Blocks, a cache and a stop of the published decoders as they really behave; multi-block ones are in `multi_block`.

Repositories: hao-ai-lab/d3LLM e5bfcac, BHmingyang/TAD 5e2aaf8, NVlabs/Fast-dLLM 24cc59e.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from methods.decoding.blocks import Growing, Sequential
from methods.decoding.caches import BlockCache
from methods.decoding.eos import FillTail
from methods.decoding.policies import StopPolicy, whole_canvas
from methods.decoding.state import Plan, State


def tokenizer_eos(state: State) -> Tensor:
    """[B, C]: generation slots that hold the first EOS id, the tokenizer's own.

    The published decoders know no other: d3LLM and TAD stop at `tokenizer.eos_token_id`, D2F at the literal 126081.
    An end-of-turn token ends none of them.
    """
    return (state.ids == state.shape.eos[0]) & ~state.open & state.gen


@dataclass(frozen=True)
class TokenizerFillTail(FillTail):
    """`FillTail` at the tokenizer's EOS alone: the early stop of a protocol on a published decoder that has none."""

    def ends(self, state: State) -> Tensor:
        """[B, C]: slots that hold the tokenizer's EOS."""
        return tokenizer_eos(state)


@dataclass(frozen=True)
class TwoForwards(Sequential):
    """Fast-dLLM's cache decoders: a block gets two forwards at least, also where the first one fills it."""

    def full(self, state: State, first_open: Tensor) -> Tensor:
        """[B]: whether the block may be left."""
        return super().full(state, first_open) & (state.own["step"] >= 2)


@dataclass(frozen=True)
class FirstTokenOnly(Sequential):
    """Fast-dLLM's cache decoders for Dream: the full forward that begins a block commits its first token, no more.

    With a quota, a block is also left after `steps` further forwards, full or not (which happens with one step).
    """

    quota: bool = False

    def plan(self, state: State) -> Plan:
        """At the block's first forward only its first slot is eligible; later the block itself."""
        span = state.own["span"]
        inside = state.inside(span)
        first = (state.own["step"] == 0)[:, None]
        eligible = state.open & inside & (~first | (state.shape.pos == span[:, :1]))
        return whole_canvas(state, eligible, span)

    def advance(self, state: State, chosen: Tensor) -> None:
        """As `Sequential`, or out of patience."""
        span = state.own["span"]
        inside = state.inside(span)
        state.own["step"] = state.own["step"] + 1
        full = ~(state.open & inside).any(1) & (state.own["step"] >= 2)
        if self.quota:
            full = full | (state.own["step"] > state.values["steps"])
        state.done = state.done | (full & ((span[:, 1] >= state.total) | ~state.open.any(1)))
        self.leave(state, full)


@dataclass(frozen=True)
class StopAtEos(StopPolicy):
    """TAD's sequential decoders: the first EOS anywhere ends the row at once, with open slots left before it."""

    def apply(self, state: State) -> None:
        """Fill the tail and finish."""
        ends = tokenizer_eos(state)
        first = state.first(ends)[:, None]
        state.fill(state.gen & (state.shape.pos > first), int(state.shape.eos[0]))
        state.done = state.done | ends.any(1)


@dataclass(frozen=True)
class SelfScoredBlockCache(BlockCache):
    """Fast-dLLM on Dream: the window begins with the block, so its first slot is scored by its own logits."""

    def first(self, state: State, plan: Plan) -> Tensor:
        """[B]: where a block's window begins."""
        return plan.must_commit[:, 0]


@dataclass(frozen=True)
class PhantomGrowing(Growing):
    """D2F counts the turn of its loop that only finds the end, and knows the first EOS id alone. own: `phantom` [B]."""

    memory = (*Growing.memory, "phantom")

    def start(self, state: State) -> None:
        """As `Growing`, nothing counted on top."""
        super().start(state)
        state.own["phantom"] = torch.zeros_like(state.total)

    def plan(self, state: State) -> Plan:
        """As `Growing`; the plan that ends a row is counted."""
        plan = super().plan(state)
        state.own["phantom"] = state.done.long()
        return plan

    def ended(self, state: State) -> Tensor:
        """[B]: whether the tokenizer's EOS was seen."""
        return tokenizer_eos(state).any(1)

    def reported_forwards(self, state: State) -> Tensor:
        """[B]: with the one that did not run."""
        return state.forwards + state.own["phantom"]
