"""The four policies of a decoder and its scorer, as the engine calls them.

A policy is a small frozen dataclass. Its fields are the same for all rows of a batch; what differs from row to row is
in `state.values`, what it remembers in `state.own`. All methods work on every row at once, and every method that is
not abstract has a default, so that a policy writes only what it decides.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import torch
from torch import Tensor

from methods.decoding.appended import Appended
from methods.decoding.forwards import DENOISE
from methods.decoding.state import Plan, State
from methods.errors import MethodsError

Names = tuple[str, ...]


class Policy:
    """What policies and scorers share.

    memory: names in `state.own` that `start` makes. needs: names that some policy of the decoder has to make.
    values: names of the setting's numbers that it reads. needs_span: whether it relies on the plan's `must_commit`.
    family: the only `Decoder.family` whose checkpoints it can decode, None for any.
    uncached: why no cache with a K/V store serves this policy, in words after "it", such as "re-opens slots of earlier
    blocks"; empty where one may. A decoder whose policies lack one of these is refused when it is made.
    """

    memory: ClassVar[Names] = ()
    needs: ClassVar[Names] = ()
    values: ClassVar[Names] = ()
    needs_span: ClassVar[bool] = False
    family: ClassVar[str | None] = None
    uncached: ClassVar[str] = ""

    def start(self, state: State) -> None:
        """Make the memory of fresh rows; nothing by default."""


class BlockPolicy(Policy, ABC):
    """Which slots are eligible, and in which span a token must be committed.

    Eligible slots may hold a token already: committing one there is an edit. spans: whether its plans have a
    `must_commit` span. appends: whether its forwards compute positions beyond the canvas (see `appended`).
    """

    spans: ClassVar[bool] = True
    appends: ClassVar[bool] = False

    @abstractmethod
    def plan(self, state: State) -> Plan:
        """The next forward, its window the whole canvas; sets `state.done` where there is none."""

    def observe(self, state: State, plan: Plan, cost: Tensor) -> None:
        """What a forward showed, before the commit rule selects; may narrow `plan.eligible` and `plan.must_commit`.

        cost [B, C]: of the eligible slots, infinite elsewhere; their tokens are in `state.tokens`. Nothing by default.
        """

    @abstractmethod
    def advance(self, state: State, chosen: Tensor) -> None:
        """After a commit of the slots `chosen` [B, C]: go on, or set `state.done`; may re-open slots."""

    def appended(self, state: State, plan: Plan) -> Appended:
        """The positions that this forward computes behind the window; called where `appends` is true.

        `state` and `plan` may be those of a part of the batch. Raises MethodsError where it is not overridden.
        """
        raise MethodsError(f"{type(self).__name__} says that it appends positions and has no `appended`.")

    def end(self, state: State) -> Tensor:
        """[B]: where the result of a finished row ends; the end of the canvas by default."""
        return state.total

    def reported_forwards(self, state: State) -> Tensor:
        """[B]: forwards as the method's authors count them (`Result.nfe`); those that ran by default."""
        return state.forwards


class CachePolicy(Policy):
    """Which positions are recomputed, and which slots of the K/V store may be read. The default is no store."""

    def window(self, state: State, plan: Plan) -> None:
        """Narrow `plan.start`, `plan.stop` and set `plan.kind`; the whole canvas by default."""

    def store_slots(self, width: int) -> int:
        """Slots of the store for a canvas of `width` positions; 0 for no store."""
        return 0

    def access(self, state: State, plan: Plan, positions: Tensor, used: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """(slots to write [B, W], slots readable [B, S] or [B, W, S]) for a window at `positions` [B, W].

        `used` [B, W] is False on padding of the window. None means the defaults of `Backbone.hidden`.
        """
        return None, used

    def after(self, state: State, plan: Plan) -> None:
        """Update the memory after the forward that just ran; nothing by default."""


class CommitRule(Policy, ABC):
    """Which eligible slots become tokens."""

    @abstractmethod
    def select(self, state: State, plan: Plan, cost: Tensor) -> Tensor:
        """Slots to commit [B, C], a subset of `plan.eligible`, by `cost` [B, C] (float64, lower is surer).

        `state.tokens` [B, C] are the tokens that would be committed. Positions that were not scored cost infinity.
        """


class Scorer(Policy, ABC):
    """From logits to a token and a cost. `methods.decoding.Score` is enough for most rules.

    A rule that wants more of a distribution than one number (its change since the last forward, say) brings a scorer
    of its own, which keeps that in `state.own` for the rule to read.

    pure: whether token and cost of a slot are a function of its logits and of `state.shape` alone (temperature aside),
    so that they may be reused wherever the canvas is the same. A class that defines `__call__` says it itself.
    """

    pure: ClassVar[bool] = False

    def __init_subclass__(cls, **more: Any) -> None:
        super().__init_subclass__(**more)
        if "__call__" in vars(cls) and "pure" not in vars(cls):
            cls.pure = False

    @abstractmethod
    def __call__(self, logits: Tensor, state: State, row: Tensor, pos: Tensor) -> tuple[Tensor, Tensor]:
        """(token [N], cost [N] float64) of `logits` [N, V], which belong to (`row`, `pos`) [N] of the batch.

        Every scored position of a forward pass comes once; rows of uneven width come in two calls. Memory is written in
        place. `state.forwards` does not count this forward yet.
        """

    def appended(self, logits: Tensor, state: State, row: Tensor, spot: Tensor) -> None:
        """Read `logits` [N, V] of appended position `spot` [N] (0 to E - 1) of row `row` [N]; before `__call__`.

        They are that position's own row: where `state.shape.shift` is 1 it predicts the next position's token.
        Raises MethodsError by default: somebody appended positions that are to be scored, and nobody reads them.
        """
        raise MethodsError(f"{type(self).__name__} has no `appended`, so it cannot score positions beyond the canvas.")


class StopPolicy(Policy, ABC):
    """What an EOS does."""

    @abstractmethod
    def apply(self, state: State) -> None:
        """Act on the tokens after a commit; may fill slots and set `state.done`."""


def whole_canvas(state: State, eligible: Tensor, must_commit: Tensor | None = None) -> Plan:
    """A plan over `eligible` [B, C] that recomputes the whole canvas of every row."""
    start, kind = torch.zeros_like(state.total), torch.full_like(state.total, DENOISE)
    span = torch.stack([start, start], 1) if must_commit is None else must_commit
    return Plan(eligible, eligible, start, state.total, kind, span)
