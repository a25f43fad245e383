"""Training-free decoders of 2025 as their authors' code behaves: inclusive bars, float64, and their own quirks.

Repositories: NEUIR/Uncode f2e2602 (EB-Sampler), inclusionAI/dInfer fce4e32 (CreditDecoding), lgxi24/AdaBlock-dLLM
491b205, LiangrunFlora/Slow-Fast-Sampling dd9958f, pixeli99/Prophet 460afe4, shkim0116/KLASS ad87ecb. LocalLeap's own
repository could not be read; its rule is the paper's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from methods.decoding.adaptive import AdaBlocks, SlowFast
from methods.decoding.blocks import Sequential
from methods.decoding.caches import BlockCache, NoCache
from methods.decoding.credit import Credit
from methods.decoding.decoder import Decoder, divides, numbers, schedules
from methods.decoding.early_exit import EarlyExit, Prefilled, TopGap
from methods.decoding.eos import Ignore
from methods.decoding.policies import BlockPolicy, CommitRule, Scorer
from methods.decoding.rules import EntropyBudget, Neighbourhood
from methods.decoding.state import Plan, State
from methods.decoding.stillness import Ahead, Stillness, SureAndStill, forwards_per_block
from methods.reference.commit import ReferenceScore, ReferenceThreshold

KL_EPS = 1e-12  # inside KLASS's logarithms
TIE = 1e-5  # dInfer's threshold rule commits what is this close to the best
PROBABILITY = ReferenceScore("probability")
INCLUSIVE = ReferenceThreshold(False, confidence=True)
Settings = Mapping[str, Any]


@dataclass(frozen=True)
class InclusiveBudget(EntropyBudget):
    """Uncode's EB-Sampler: a prefix on the bound is committed, and the bound is a difference of running sums.

    An entropy lost in the rounding of that difference is no entropy, so that gamma 0 may commit several slots.
    """

    def bound(self, ordered: Tensor) -> Tensor:
        """[B, C]: the sum of every prefix less its largest."""
        return ordered.cumsum(1) - ordered

    def within(self, bound: Tensor, budget: Tensor) -> Tensor:
        """[B, C]: by equality too."""
        return bound <= budget


@dataclass(frozen=True)
class InclusiveNeighbourhood(Neighbourhood):
    """LocalLeap with bars that a confidence passes by equality."""

    def passes(self, confidence: Tensor, bar: Tensor) -> Tensor:
        """[B, C]: whether a slot is sure enough."""
        return confidence >= bar


@dataclass(frozen=True)
class TiedThreshold(CommitRule):
    """dInfer's threshold rule: the bar is at most a hair under the best confidence, so ties are committed together."""

    values = ("threshold",)

    def select(self, state: State, plan: Plan, cost: Tensor) -> Tensor:
        """Everything at the bar or above."""
        confidence = torch.where(plan.eligible, -cost, -torch.inf)
        bar = torch.minimum(state.values["threshold"], confidence.amax(1) - TIE)
        return plan.eligible & (confidence >= bar[:, None])


@dataclass(frozen=True)
class FullCycles(SlowFast):
    """SlowFast's exploration as published: it runs all its forwards, also when nothing is left to fill."""

    def may_leave(self, state: State, over: Tensor) -> Tensor:
        """[B]: at the end of a cycle alone."""
        return over


@dataclass(frozen=True)
class LimitedAhead(Ahead):
    """KLASS's blocks: left when the schedule's forwards are spent, with masks in them or not."""

    def plan(self, state: State) -> Plan:
        """Masks of earlier blocks are not decoded any more."""
        plan = super().plan(state)
        plan.eligible = plan.eligible & state.inside(plan.must_commit)
        return plan

    def advance(self, state: State, chosen: Tensor) -> None:
        """Go on when the block is full or its forwards are spent."""
        state.own["step"] = state.own["step"] + 1
        span = state.own["span"]
        spent = state.own["step"] >= forwards_per_block(state)
        over = spent | ~(state.open & state.inside(span)).any(1)
        state.done = state.done | (over & (span[:, 1] >= state.total)) | ~state.open.any(1)
        self.leave(state, over)


@dataclass(frozen=True)
class StillFromNothing(Stillness):
    """KLASS's history: the first forward of a run is compared with zeros, about 27.6 nats less the entropy away."""

    def start(self, state: State) -> None:
        """The forward before the first one saw a distribution of zeros."""
        super().start(state)
        state.own["log_probs"] = torch.full_like(state.own["log_probs"], KL_EPS, dtype=torch.float64).log()
        state.own["seen"] = torch.zeros_like(state.ids)

    def log_probs(self, logits: Tensor) -> Tensor:
        """[N, V]: in float64, a little off zero."""
        return (logits.double().softmax(-1) + KL_EPS).log()


@dataclass(frozen=True)
class ReadyOrScheduled(SureAndStill):
    """KLASS's rule without the guaranteed slot: where the schedule asks for none, none is committed."""

    def ensure(self, state: State, plan: Plan, cost: Tensor, chosen: Tensor) -> Tensor:
        """As it is."""
        return chosen


@dataclass(frozen=True)
class AllScheduled(Prefilled):
    """Prophet's blocks: every scheduled forward is run, those that commit nothing too. Needs `ScheduledExit`."""

    needs = ("exited",)

    def enter(self, state: State) -> None:
        """The first block, full or not."""

    def advance(self, state: State, chosen: Tensor) -> None:
        """Go on after the block's forwards; done after the last block, or with an early exit."""
        state.own["step"] = state.own["step"] + 1
        span = state.own["span"]
        over = state.own["step"] >= forwards_per_block(state)
        state.done = state.done | (over & (span[:, 1] >= state.total)) | state.own["exited"]
        self.leave(state, over)

    def leave(self, state: State, full: Tensor) -> None:
        """To the next block, full or not."""
        super(Prefilled, self).leave(state, full)


@dataclass(frozen=True)
class ScheduledExit(EarlyExit):
    """Prophet's rule where the schedule may ask for nothing. own: `exited` [B], whether the gap ended the row."""

    memory = (*EarlyExit.memory, "exited")

    def start(self, state: State) -> None:
        """Nothing ended."""
        super().start(state)
        state.own["exited"] = torch.zeros_like(state.done)

    def select(self, state: State, plan: Plan, cost: Tensor) -> Tensor:
        """As repaired, and note an exit."""
        state.own["exited"] = self.exits(state)
        return super().select(state, plan, cost)

    def ensure(self, state: State, plan: Plan, cost: Tensor, chosen: Tensor) -> Tensor:
        """As it is."""
        return chosen


def _decoder(settings: Settings, blocks: BlockPolicy, commit: CommitRule, score: Scorer, *names: str) -> Decoder:
    cache = settings.get("cache", "none")
    return Decoder(
        blocks=blocks,
        cache=NoCache() if cache == "none" else BlockCache(dual=cache == "dual"),
        commit=commit,
        stop=Ignore(),
        score=score,
        values=numbers(settings, "block_size", *names),
    )


def _whole_blocks(decoder: Decoder, settings: Settings) -> Decoder:
    """`decoder` for generations of whole blocks only."""
    return replace(decoder, need=(divides("block_size", settings["block_size"]),))


def eb_sampler(settings: Settings) -> Decoder:
    """EB-Sampler of Uncode."""
    made = _decoder(settings, Sequential(), InclusiveBudget(), ReferenceScore("entropy"), "gamma")
    return _whole_blocks(made, settings)


def localleap(settings: Settings) -> Decoder:
    """LocalLeap as the paper has it."""
    names = ("threshold", "relaxed_threshold", "radius")
    made = _decoder(settings, Sequential(), InclusiveNeighbourhood(), PROBABILITY, *names)
    return _whole_blocks(made, settings)


def credit(settings: Settings) -> Decoder:
    """CreditDecoding of dInfer, in its float32."""
    names = ("threshold", "alpha", "gamma", "beta")
    made = _decoder(settings, Sequential(), TiedThreshold(), Credit(settings["block_size"]), *names)
    return _whole_blocks(made, settings)


def adablock(settings: Settings) -> Decoder:
    """AdaBlock."""
    names = ("threshold", "delimiter_threshold", "window")
    return _decoder(settings, AdaBlocks(settings["delimiters"]), INCLUSIVE, PROBABILITY, *names)


def slowfast(settings: Settings) -> Decoder:
    """SlowFast Sampling."""
    names = ("threshold", "cycle_threshold", "exploration_steps")
    return _whole_blocks(_decoder(settings, FullCycles(), INCLUSIVE, PROBABILITY, *names), settings)


def prophet(settings: Settings) -> Decoder:
    """Prophet."""
    blocks = AllScheduled(words=settings["word_ids"], pairs=settings["prefill"])
    names = ("steps", "answer_start", "gap_early", "gap_mid", "gap_late")
    return _scheduled(_decoder(settings, blocks, ScheduledExit(), TopGap(PROBABILITY), *names), settings)


def klass(settings: Settings) -> Decoder:
    """KLASS."""
    score = StillFromNothing(2 * settings["block_size"], PROBABILITY)
    names = ("threshold", "kl_threshold", "history", "steps")
    return _scheduled(_decoder(settings, LimitedAhead(), ReadyOrScheduled(), score, *names), settings)


def _scheduled(decoder: Decoder, settings: Settings) -> Decoder:
    """`decoder` for whole blocks that share the schedule evenly."""
    decoder = _whole_blocks(decoder, settings)
    return replace(decoder, need=(*decoder.need, schedules(settings["steps"], settings["block_size"])))
