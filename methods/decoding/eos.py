"""Stop policies: what an EOS does to a row."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from methods.decoding.policies import StopPolicy
from methods.decoding.state import State


@dataclass(frozen=True)
class Ignore(StopPolicy):
    """An EOS is a token like any other; every slot is decoded."""

    def apply(self, state: State) -> None:
        """Nothing happens."""


@dataclass(frozen=True)
class FillTail(StopPolicy):
    """Everything right of the first EOS becomes EOS; open slots left of it are still decoded.

    d3LLM's early stop. Tokens that were already committed right of the EOS are revised.
    """

    def ends(self, state: State) -> Tensor:
        """[B, C]: slots whose token ends the answer."""
        return state.is_eos()

    def apply(self, state: State) -> None:
        """Fill the tails of the rows that hold an EOS."""
        first = state.first(self.ends(state))[:, None]
        state.fill(state.gen & (state.shape.pos > first), int(state.shape.eos[0]))


@dataclass(frozen=True)
class EndRow(StopPolicy):
    """The row is finished with its first EOS (left-to-right decoders)."""

    def apply(self, state: State) -> None:
        """Finish the rows whose EOS has no open slot before it."""
        ends = state.is_eos()
        before = state.shape.pos < state.first(ends)[:, None]
        state.done = state.done | (ends.any(1) & ~(state.open & before).any(1))
