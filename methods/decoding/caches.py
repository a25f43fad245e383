"""Cache policies: which positions a forward pass recomputes and which slots of the K/V store it may read.

The store has one slot per position, so no cache, prefix, dual, delayed and block-causal caching differ only in their
window and their mask. Where tokens are scored by the position before them (`shift` 1, Dream), a window starts one
position earlier, so that its first slot is scored by its neighbour and not by itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from methods.decoding.forwards import DENOISE, PREFILL, REFRESH
from methods.decoding.policies import CachePolicy, Names
from methods.decoding.state import Plan, State


@dataclass(frozen=True)
class NoCache(CachePolicy):
    """Recompute the whole canvas, every time; the window reads itself."""


@dataclass(frozen=True)
class Stored(CachePolicy):
    """What the caching policies share: slot = position, the spare last slot takes the window's padding."""

    def store_slots(self, width: int) -> int:
        """One slot per position and the spare one."""
        return width + 1

    def access(self, state: State, plan: Plan, positions: Tensor, used: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """Write at the positions; read the whole canvas, stale or fresh."""
        spare = state.shape.width
        readable = torch.arange(spare + 1, device=positions.device) < state.total[:, None]
        return torch.where(used, positions, spare), readable


@dataclass(frozen=True)
class BlockCache(Stored):
    """Fast-dLLM (Wu et al. 2025): a full forward when a block begins, then only its window.

    dual false (prefix cache): the block and everything after it. dual true: the block alone, the suffix stays stale.
    With the setting `refresh_interval`, every so many forwards of a block are full ones again. Needs `Sequential`.
    """

    dual: bool
    needs = ("step",)
    needs_span = True

    def window(self, state: State, plan: Plan) -> None:
        """Full at the block's first forward, its window afterwards."""
        step = state.own["step"]
        full = step == 0
        if "refresh_interval" in state.values:
            full = step % state.values["refresh_interval"] == 0
        plan.start = torch.where(full, 0, self.first(state, plan))
        if self.dual:
            plan.stop = torch.where(full, state.total, plan.must_commit[:, 1])
        kind = torch.where(state.forwards == 0, PREFILL, REFRESH)
        plan.kind = torch.where(full, kind, DENOISE)

    def first(self, state: State, plan: Plan) -> Tensor:
        """[B]: where a block's window begins: one position early where the backbone is shifted."""
        return (plan.must_commit[:, 0] - state.shape.shift).clamp_min(0)


@dataclass(frozen=True)
class Delayed(Stored):
    """d3LLM's delayed cache: a finished block is frozen `cache_delay` forwards after it was found finished.

    While a finished block waits, and every `refresh_interval`-th forward, the whole canvas is recomputed and every
    slot rewritten; in between only what follows the frozen part. Slots are positions, so a refresh can leave nothing
    twice. Needs `MultiBlock`. own: `frozen` [B] (end of the frozen part), `warm` [B], and of the
    prompt and each block `edges` (its end) and `finished_at` [B, K + 1]; `freeze_to` [B], of this forward.
    """

    memory = ("frozen", "warm", "edges", "finished_at", "freeze_to")
    needs = ("ends",)
    values = ("cache_delay", "refresh_interval")

    def start(self, state: State) -> None:
        """Nothing frozen; the prompt counts as finished before the first forward."""
        state.own["edges"] = torch.cat([state.prompt[:, None], state.own["ends"]], 1)
        state.own["frozen"] = torch.zeros_like(state.total)
        state.own["warm"] = torch.zeros_like(state.done)
        state.own["finished_at"] = torch.full_like(state.own["edges"], -1)
        state.own["finished_at"][:, 0] = 0
        state.own["freeze_to"] = torch.zeros_like(state.total)

    def window(self, state: State, plan: Plan) -> None:
        """Walk the finished blocks from the left; decide between a full forward and the unfrozen rest."""
        now = (state.forwards + 1)[:, None]
        frozen, end = state.own["frozen"], state.own["edges"]
        first_open = state.first(state.open, otherwise=state.total)[:, None]
        finished = (end <= first_open) & (end > frozen[:, None])
        since = torch.where(finished & (state.own["finished_at"] < 0), now, state.own["finished_at"])
        state.own["finished_at"] = since
        ripe = finished & (now - since >= state.values["cache_delay"][:, None])
        freeze_to = torch.maximum(torch.where(ripe, end, 0).amax(1), frozen)
        waiting = (finished & ~ripe).any(1)
        due = (now[:, 0] % state.values["refresh_interval"]) == 0
        full = state.own["warm"] & ((waiting & (freeze_to == frozen)) | due)
        cold = ~state.own["warm"] & (freeze_to == frozen)
        plan.start = torch.where(full | cold, 0, (frozen - state.shape.shift).clamp_min(0))
        kind = torch.where(~state.own["warm"] & ~cold, PREFILL, DENOISE)
        plan.kind = torch.where(full, REFRESH, kind)
        state.own["freeze_to"] = freeze_to

    def after(self, state: State, plan: Plan) -> None:
        """Freeze what was ripe."""
        state.own["warm"] = state.own["warm"] | (state.own["freeze_to"] > state.own["frozen"])
        state.own["frozen"] = state.own["freeze_to"]


@dataclass(frozen=True)
class BlockCausal(Stored):
    """D2F: a block reads the prompt, earlier blocks and itself; finished ones are computed once more, then frozen.

    Because no block reads a later one, the cache is exact: frozen or recomputed gives the same logits. cached false
    recomputes everything. Needs `Growing`. own: `frozen` [B].
    aligned: blocks are counted from position 0 (Fast-dLLM v2) and not from the end of the prompt.
    """

    cached: bool = True
    aligned: bool = False
    memory: ClassVar[Names] = ("frozen",)
    needs: ClassVar[Names] = ("grown", "finished")
    values = ("block_size",)

    def start(self, state: State) -> None:
        """Nothing frozen."""
        state.own["frozen"] = torch.zeros_like(state.total)

    def window(self, state: State, plan: Plan) -> None:
        """From the frozen part to the end of the grown canvas."""
        plan.stop = state.own["grown"]
        first = torch.where(state.own["frozen"] == 0, PREFILL, DENOISE)
        plan.kind = first if self.cached else torch.full_like(first, DENOISE)
        if self.cached:
            plan.start = (state.own["frozen"] - state.shape.shift).clamp_min(0)

    def access(self, state: State, plan: Plan, positions: Tensor, used: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """[B, W, S]: a query reads the slots of its own block and of earlier ones."""
        spare = state.shape.width
        size = state.values["block_size"][:, None]
        slots = torch.arange(spare + 1, device=positions.device)[None]

        def block(pos: Tensor) -> Tensor:
            index = (pos - (0 if self.aligned else state.prompt[:, None])).div(size, rounding_mode="floor")
            return index.clamp_min(-1)

        readable = block(slots)[:, None, :] <= block(positions)[:, :, None]
        readable = readable & (slots < plan.stop[:, None])[:, None, :]
        return torch.where(used, positions, spare), readable

    def after(self, state: State, plan: Plan) -> None:
        """Freeze the blocks that were finished before this forward."""
        state.own["frozen"] = torch.maximum(state.own["frozen"], state.own["finished"])


@dataclass(frozen=True)
class Causal(Stored):
    """An autoregressive model's cache: the prompt once, then one position per forward pass. Needs `OneByOne`."""

    needs = ("written",)
    family = "ar"

    def window(self, state: State, plan: Plan) -> None:
        """The prompt first, then the last token only."""
        plan.stop = state.own["written"]
        first = plan.stop == state.prompt
        plan.start = torch.where(first, 0, plan.stop - 1)
        plan.kind = torch.where(first, PREFILL, DENOISE)
