"""Block policies on a fixed canvas: blocks in turn (`Sequential`) or several at once (`MultiBlock`)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad

from methods.decoding.request import KINDS
from methods.decoding.rows import Plan, Rows

DENOISE = KINDS.index("denoise")


def whole(rows: Rows, eligible: Tensor, must: Tensor | None = None) -> Plan:
    """A plan that recomputes the whole canvas of every row."""
    start, kind = torch.zeros_like(rows.total), torch.full_like(rows.total, DENOISE)
    return Plan(eligible, eligible, start, rows.total, kind, must)


@dataclass(frozen=True)
class Sequential:
    """Blocks of `block_size` from left to right; a block is left when it has no open slot.

    One block as long as the generation is decoding without blocks. least: forwards a block gets at least (the
    references' cache decoders always run a second one). own: `span` [B, 2] (start and end of the block), `step`
    (forwards already spent on it).
    """

    least: int = 1

    def start(self, rows: Rows) -> None:
        """Every row at its first block."""
        rows.own["step"] = torch.zeros_like(rows.total)
        end = torch.minimum(rows.prompt + rows.values["block_size"], rows.total)
        rows.own["span"] = torch.stack([rows.prompt, end], 1)

    def plan(self, rows: Rows) -> Plan:
        """Everything open up to the end of the current block is eligible."""
        span = rows.own["span"]
        return whole(rows, rows.open & (rows.shape.pos < span[:, 1:]), span)

    def advance(self, rows: Rows, chosen: Tensor) -> None:
        """Go to the next block when this one is full; done when nothing is open any more."""
        rows.own["step"] = rows.own["step"] + 1
        first_open = torch.where(rows.open, rows.shape.pos, rows.shape.width).amin(1)
        full = first_open >= rows.own["span"][:, 1]  # no block before this one has an open slot
        if self.least > 1:
            full = full & (rows.own["step"] >= self.least)
        rows.done = rows.done | (full & (first_open == rows.shape.width))
        self.leave(rows, full)

    def leave(self, rows: Rows, full: Tensor) -> None:
        """Move the rows where `full` to their next block; the last one ends with the canvas."""
        rows.own["step"] = torch.where(full, 0, rows.own["step"])
        span = rows.own["span"] + (full * rows.values["block_size"])[:, None]
        rows.own["span"] = torch.minimum(span, rows.total[:, None])


@dataclass(frozen=True)
class MultiBlock:
    """Pipelined blocks: the next is created when the last is far enough, and may always commit what is sure.

    d3LLM (Qian et al. 2026), section on multi-block decoding; TAD decodes the same way. A block is *active* once its
    predecessor's decoded share reaches `decoded_token_threshold`; the first active block with open slots must
    progress. At most one block is created a forward, when the last one's share reaches `block_add_threshold`.
    own: `created` [B], `active` [B, K]; and what never changes: `block_of` [B, C], `number` [B] (of blocks, rounded
    up), `starts`, `ends`, `sizes` [B, K] (absolute positions; at least 1).
    """

    def start(self, rows: Rows) -> None:
        """The first block exists, and is active because the prompt is complete."""
        size = rows.values["block_size"]
        start = rows.prompt[:, None] + rows.shape.block * size[:, None]
        end = torch.minimum(start + size[:, None], rows.total[:, None])
        rows.own["starts"], rows.own["ends"] = start, end
        rows.own["sizes"] = (end - start).clamp_min(1).double()
        rows.own["number"] = (rows.total - rows.prompt + size - 1) // size
        rows.own["block_of"] = block_index(rows)
        rows.own["created"] = torch.ones_like(rows.total)
        rows.own["active"] = (rows.shape.block == 0) & (rows.values["decoded_token_threshold"] <= 1)[:, None]

    def plan(self, rows: Rows) -> Plan:
        """Activate, create, and offer every open slot of the created blocks."""
        counts = per_block(rows, rows.open)
        grow(rows, counts, rows.own["created"] < rows.own["number"])
        return offer(rows, counts, rows.open)

    def advance(self, rows: Rows, chosen: Tensor) -> None:
        """Done when nothing is open."""
        rows.done = rows.done | ~rows.open.any(1)


def block_index(rows: Rows) -> Tensor:
    """[B, C]: the block of every slot, K (their most) for prompt, padding and what lies behind the last block."""
    index = (rows.shape.pos - rows.prompt[:, None]).div(rows.values["block_size"][:, None], rounding_mode="floor")
    return torch.where(rows.gen & (index < rows.shape.blocks), index, rows.shape.blocks)


def per_block(rows: Rows, slots: Tensor) -> Tensor:
    """[B, K]: how many of `slots` [B, C] lie in each block."""
    zero = torch.zeros(len(rows), rows.shape.blocks + 1, dtype=torch.long, device=slots.device)
    return zero.scatter_add_(1, rows.own["block_of"], slots.long())[:, :-1]


def grow(rows: Rows, counts: Tensor, may: Tensor) -> None:
    """Activate blocks by their predecessors' decoded share, then create one block in the rows where `may` [B]."""
    bar, created = rows.values["decoded_token_threshold"][:, None], rows.own["created"][:, None]
    share = pad(1 - counts / rows.own["sizes"], (1, 0), value=1.0)  # [B, K + 1], the prompt's first
    active = rows.own["active"] | ((share[:, :-1] >= bar) & (rows.shape.block < created))
    last = share.gather(1, created)
    add = may[:, None] & (last >= rows.values["block_add_threshold"][:, None])
    rows.own["active"] = active | ((rows.shape.block == created) & add & (last >= bar))
    rows.own["created"] = (created + add)[:, 0]


def offer(rows: Rows, counts: Tensor, slots: Tensor) -> Plan:
    """A whole-canvas plan over `slots` [B, C] left of the end of the last block that is active or unfinished."""
    block, blocks, own = rows.shape.block, rows.shape.blocks, rows.own
    made, unfinished = block < own["created"][:, None], counts > 0
    last = torch.where(made & (own["active"] | unfinished), block, -1).amax(1)
    own["last"] = last
    limit = own["ends"].gather(1, last.clamp_min(0)[:, None])
    first = torch.where(made & own["active"] & unfinished, block, blocks).amin(1, keepdim=True)
    at = first.clamp_max(blocks - 1)
    span = torch.cat([own["starts"].gather(1, at), own["ends"].gather(1, at)], 1)
    must = torch.where(first < blocks, span, 0)
    return whole(rows, slots & (rows.shape.pos < limit) & (last >= 0)[:, None], must)
