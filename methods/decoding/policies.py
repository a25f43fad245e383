"""The four policies of a decoder and its scorer, as the loop sees them.

A policy is a small frozen dataclass whose fields are the same for all rows of a batch; what differs from row to row
is in `rows.values`, what it remembers in `rows.own`. All methods work on every row at once.
"""

from __future__ import annotations

from typing import Protocol

from torch import Tensor

from methods.decoding.rows import Plan, Rows


class BlockPolicy(Protocol):
    """Which slots are eligible, and which span has to progress."""

    def start(self, rows: Rows) -> None:
        """Make the memory of fresh rows."""

    def plan(self, rows: Rows) -> Plan:
        """The next forward; sets `rows.done` where there is none. The window is the whole canvas."""

    def advance(self, rows: Rows, chosen: Tensor) -> None:
        """Book the slots just committed, `chosen` [B, C]."""


class CachePolicy(Protocol):
    """Which positions are recomputed, and which slots of the K/V store may be read."""

    def start(self, rows: Rows) -> None:
        """Make the memory of fresh rows."""

    def window(self, rows: Rows, plan: Plan) -> None:
        """Narrow `plan.start`, `plan.stop` and name `plan.kind`."""

    def store_slots(self, width: int) -> int:
        """Slots of the store for a canvas of `width` positions; 0 for no store."""

    def access(self, rows: Rows, plan: Plan, positions: Tensor, used: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """(slots to write [B, W], slots readable [B, S] or [B, W, S]) for a window at `positions` [B, W].

        `used` [B, W] is False on padding of the window. None means the defaults of `Backbone.hidden`.
        """

    def after(self, rows: Rows, plan: Plan) -> None:
        """Book the forward that just ran."""


class CommitRule(Protocol):
    """Which eligible slots become tokens."""

    def start(self, rows: Rows) -> None:
        """Make the memory of fresh rows."""

    def select(self, rows: Rows, plan: Plan, cost: Tensor) -> Tensor:
        """Slots to commit [B, C], a subset of `plan.eligible`, by `cost` [B, C] (float64, lower is surer)."""


class Scorer(Protocol):
    """From logits to a token and a cost. `methods.decoding.scores.Score` is enough for most rules.

    A rule that wants more of a distribution than one number (its change since the last forward, say) brings a scorer
    of its own, which keeps that in `rows.own` for the rule to read.
    """

    def start(self, rows: Rows) -> None:
        """Make the memory of fresh rows."""

    def __call__(self, logits: Tensor, rows: Rows, row: Tensor, pos: Tensor) -> tuple[Tensor, Tensor]:
        """(token [N], cost [N] float64) of `logits` [N, V], which belong to (`row`, `pos`) [N] of the batch.

        Every scored position of a forward comes once; rows of uneven width come in two calls. Memory is written in
        place. `rows.forwards` does not count this forward yet.
        """


class StopPolicy(Protocol):
    """What an EOS does."""

    def apply(self, rows: Rows) -> None:
        """Act on the tokens after a commit; may fill slots and set `rows.done`."""
