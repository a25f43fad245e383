"""Fast-dLLM v2 (Wu et al. 2025, arXiv:2509.26328): an autoregressive model that decodes blocks by diffusion.

Blocks of `block_size` are counted from position 0, attention is block-causal, and token i is scored by row i - 1.
Whole prompt blocks are computed once. In a block, sub-blocks go from left to right; a forward on the block commits
every slot of the sub-block above the confidence threshold, and always the surest. A full block is computed once more
to be cached, and that forward also gives the next block's first token. It is counted: one in every block.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from methods.decoding.blocks import whole
from methods.decoding.caches import DENOISE, PREFILL, REFRESH, BlockCausal
from methods.decoding.rows import Plan, Rows


@dataclass(frozen=True)
class V2Blocks:
    """Prefill, then denoise a block sub-block by sub-block, then cache it.

    own: `finished` (blocks whose tokens are all known end here), `grown` (end of the canvas shown to the model).
    """

    def start(self, rows: Rows) -> None:
        """Whole prompt blocks are known."""
        rows.own["finished"] = torch.zeros_like(rows.total)
        rows.own["grown"] = torch.zeros_like(rows.total)
        rows.own["frozen"] = torch.zeros_like(rows.total)

    def plan(self, rows: Rows) -> Plan:
        """Cache the known blocks if any are new, else decode in the current block."""
        size, sub = rows.values["block_size"], rows.values["sub_block_size"]
        first_open = torch.where(rows.open, rows.shape.pos, rows.total[:, None]).amin(1)
        known = first_open // size * size
        caching = known > rows.own["frozen"]
        end = torch.minimum(known + size, rows.total)
        shown = caching & rows.open.any(1)  # a finished row is planned too, and its result is cut at `grown`
        rows.own["finished"], rows.own["grown"] = known, torch.where(shown, known, end)
        start = known + (first_open - known) // sub * sub
        inside = (rows.shape.pos >= start[:, None]) & (rows.shape.pos < torch.minimum(start + sub, end)[:, None])
        next_one = (rows.shape.pos == known[:, None]) & (rows.shape.shift == 1)
        eligible = rows.open & torch.where(caching[:, None], next_one, inside)
        rows.own["caching"] = caching
        return whole(rows, eligible, torch.stack([start, start + sub], 1))

    def advance(self, rows: Rows, chosen: Tensor) -> None:
        """Done when nothing is open."""
        rows.done = rows.done | ~rows.open.any(1)


@dataclass(frozen=True)
class V2Cache(BlockCausal):
    """From the cached blocks to the end of the current one; `caching` forwards freeze what they computed."""

    def start(self, rows: Rows) -> None:
        """`V2Blocks` keeps the memory."""

    def window(self, rows: Rows, plan: Plan) -> None:
        """The uncached part, never earlier: a block's first slot is scored by the caching forward."""
        caching, frozen = rows.own["caching"], rows.own["frozen"]
        plan.start, plan.stop = frozen, rows.own["grown"]
        plan.kind = torch.where(caching, torch.where(frozen == 0, PREFILL, REFRESH), DENOISE)

    def after(self, rows: Rows, plan: Plan) -> None:
        """Freeze the known blocks once they were computed with all their tokens."""
        rows.own["frozen"] = torch.where(rows.own["caching"], rows.own["finished"], rows.own["frozen"])
