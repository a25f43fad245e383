"""Cache policies: which positions a forward recomputes and which slots of the K/V store it may read.

The store has one slot a position, so no cache, prefix, dual, delayed and block-causal caching differ only in their
window and their mask. Where tokens are scored by the position before them (`shift` 1, Dream), a window starts one
position earlier, so that its first slot is scored by its neighbour and not by itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from methods.decoding.request import KINDS
from methods.decoding.rows import Plan, Rows

PREFILL, DENOISE, REFRESH = (KINDS.index(kind) for kind in ("prefill", "denoise", "refresh"))


@dataclass(frozen=True)
class NoCache:
    """Recompute the whole canvas, every time."""

    def start(self, rows: Rows) -> None:
        """Nothing to remember."""

    def window(self, rows: Rows, plan: Plan) -> None:
        """The whole canvas, as planned."""

    def store_slots(self, width: int) -> int:
        """No store."""
        return 0

    def access(self, rows: Rows, plan: Plan, positions: Tensor, used: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """The window reads itself."""
        return None, used

    def after(self, rows: Rows, plan: Plan) -> None:
        """Nothing to book."""


@dataclass(frozen=True)
class Stored(NoCache):
    """What the caching policies share: slot = position, the spare last slot takes the window's padding."""

    def store_slots(self, width: int) -> int:
        """One slot a position and the spare one."""
        return width + 1

    def access(self, rows: Rows, plan: Plan, positions: Tensor, used: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """Write at the positions; read the whole canvas, stale or fresh."""
        spare = rows.shape.width
        readable = torch.arange(spare + 1, device=positions.device) < rows.total[:, None]
        return torch.where(used, positions, spare), readable


@dataclass(frozen=True)
class BlockCache(Stored):
    """Fast-dLLM (Wu et al. 2025): a full forward when a block begins, then only its window.

    dual false (prefix cache): the block and everything after it. dual true: the block alone, the suffix stays stale.
    refresh: every `refresh_interval`-th forward of a block is a full one again. exact: the window begins one
    position early where the backbone is shifted. Needs `Sequential`.
    """

    dual: bool
    exact: bool = True

    def window(self, rows: Rows, plan: Plan) -> None:
        """Full at the block's first forward, its window afterwards."""
        assert plan.must is not None
        step = rows.own["step"]
        full = step == 0
        if "refresh_interval" in rows.values:
            full = step % rows.values["refresh_interval"] == 0
        first = (plan.must[:, 0] - (rows.shape.shift if self.exact else 0)).clamp_min(0)
        plan.start = torch.where(full, 0, first)
        if self.dual:
            plan.stop = torch.where(full, rows.total, plan.must[:, 1])
        kind = torch.where(rows.forwards == 0, PREFILL, REFRESH)
        plan.kind = torch.where(full, kind, DENOISE)


@dataclass(frozen=True)
class Delayed(Stored):
    """d3LLM's delayed cache: a finished block is frozen `cache_delay` forwards after it was found finished.

    While a finished block waits, and every `refresh_interval`-th forward, the whole canvas is recomputed and every
    slot rewritten; in between only what follows the frozen part. Slots are positions, so a refresh can leave nothing
    twice. Needs `MultiBlock`. own: `frozen` [B] (end of the frozen part), `warm` [B], and of the
    prompt and each block `edges` (its end) and `finished_at` [B, K + 1].
    """

    def start(self, rows: Rows) -> None:
        """Nothing frozen; the prompt counts as finished before the first forward."""
        rows.own["edges"] = torch.cat([rows.prompt[:, None], rows.own["ends"]], 1)
        rows.own["frozen"] = torch.zeros_like(rows.total)
        rows.own["warm"] = torch.zeros_like(rows.done)
        rows.own["finished_at"] = torch.full_like(rows.own["edges"], -1)
        rows.own["finished_at"][:, 0] = 0
        rows.own["freeze_to"] = torch.zeros_like(rows.total)

    def window(self, rows: Rows, plan: Plan) -> None:
        """Walk the finished blocks from the left; decide between a full forward and the unfrozen rest."""
        now = (rows.forwards + 1)[:, None]
        frozen, end = rows.own["frozen"], rows.own["edges"]
        first_open = torch.where(rows.open, rows.shape.pos, rows.total[:, None]).amin(1, keepdim=True)
        finished = (end <= first_open) & (end > frozen[:, None])
        since = torch.where(finished & (rows.own["finished_at"] < 0), now, rows.own["finished_at"])
        rows.own["finished_at"] = since
        ripe = finished & (now - since >= rows.values["cache_delay"][:, None])
        freeze_to = torch.maximum(torch.where(ripe, end, 0).amax(1), frozen)
        waiting = (finished & ~ripe).any(1)
        due = (now[:, 0] % rows.values["refresh_interval"]) == 0
        full = rows.own["warm"] & ((waiting & (freeze_to == frozen)) | due)
        cold = ~rows.own["warm"] & (freeze_to == frozen)
        plan.start = torch.where(full | cold, 0, (frozen - rows.shape.shift).clamp_min(0))
        kind = torch.where(~rows.own["warm"] & ~cold, PREFILL, DENOISE)
        plan.kind = torch.where(full, REFRESH, kind)
        rows.own["freeze_to"] = freeze_to

    def after(self, rows: Rows, plan: Plan) -> None:
        """Freeze what was ripe."""
        rows.own["warm"] = rows.own["warm"] | (rows.own["freeze_to"] > rows.own["frozen"])
        rows.own["frozen"] = rows.own["freeze_to"]


@dataclass(frozen=True)
class BlockCausal(Stored):
    """D2F: a block reads the prompt, earlier blocks and itself; finished ones are computed once more, then frozen.

    Because no block reads a later one, the cache is exact: frozen or recomputed gives the same logits. cached false
    recomputes everything. Needs `grown` and `finished` in own. own: `frozen` [B].
    aligned: blocks are counted from position 0 (Fast-dLLM v2) and not from the end of the prompt.
    """

    cached: bool = True
    aligned: bool = False

    def start(self, rows: Rows) -> None:
        """Nothing frozen."""
        rows.own["frozen"] = torch.zeros_like(rows.total)

    def window(self, rows: Rows, plan: Plan) -> None:
        """From the frozen part to the end of the grown canvas."""
        plan.stop = rows.own["grown"]
        first = torch.where(rows.own["frozen"] == 0, PREFILL, DENOISE)
        plan.kind = first if self.cached else torch.full_like(first, DENOISE)
        if self.cached:
            plan.start = (rows.own["frozen"] - rows.shape.shift).clamp_min(0)

    def access(self, rows: Rows, plan: Plan, positions: Tensor, used: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """[B, W, S]: a query reads the slots of its own block and of earlier ones."""
        spare = rows.shape.width
        size = rows.values["block_size"][:, None]
        slots = torch.arange(spare + 1, device=positions.device)[None]

        def block(pos: Tensor) -> Tensor:
            index = (pos - (0 if self.aligned else rows.prompt[:, None])).div(size, rounding_mode="floor")
            return index.clamp_min(-1)

        readable = block(slots)[:, None, :] <= block(positions)[:, :, None]
        readable = readable & (slots < plan.stop[:, None])[:, None, :]
        return torch.where(used, positions, spare), readable

    def after(self, rows: Rows, plan: Plan) -> None:
        """Freeze the blocks that were finished before this forward."""
        rows.own["frozen"] = torch.maximum(rows.own["frozen"], rows.own["finished"])


@dataclass(frozen=True)
class Causal(Stored):
    """An autoregressive model's cache: the prompt once, then one position a forward."""

    def window(self, rows: Rows, plan: Plan) -> None:
        """The prompt first, then the last token only."""
        plan.stop = rows.prompt + rows.own["step"]
        plan.start = torch.where(rows.own["step"] == 0, 0, plan.stop - 1)
        plan.kind = torch.where(rows.own["step"] == 0, PREFILL, DENOISE)
