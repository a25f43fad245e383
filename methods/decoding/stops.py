"""Stop policies: what an EOS does to a row."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from methods.decoding.rows import Rows


@dataclass(frozen=True)
class Ignore:
    """An EOS is a token like any other; every slot is decoded."""

    def apply(self, rows: Rows) -> None:
        """Nothing happens."""


@dataclass(frozen=True)
class FillTail:
    """Everything right of the first EOS becomes EOS; open slots left of it are still decoded.

    d3LLM's early stop. Tokens that were already committed right of the EOS are revised.
    """

    def apply(self, rows: Rows) -> None:
        """Fill the tails of the rows that hold an EOS."""
        ends = rows.is_eos()
        first = torch.where(ends, rows.shape.pos, rows.shape.width).amin(1, keepdim=True)
        rows.fill(rows.gen & (rows.shape.pos > first), int(rows.shape.eos[0]))


@dataclass(frozen=True)
class EndRow:
    """The row is finished with its first EOS (left-to-right decoders)."""

    def apply(self, rows: Rows) -> None:
        """Finish the rows whose EOS has no open slot before it."""
        ends = rows.is_eos()
        first = torch.where(ends, rows.shape.pos, rows.shape.width).amin(1, keepdim=True)
        rows.done = rows.done | (ends.any(1) & ~(rows.open & (rows.shape.pos < first)).any(1))
