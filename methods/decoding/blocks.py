"""Block policies on a fixed canvas: blocks in turn (`Sequential`) or several at once (`MultiBlock`)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from methods.decoding.request import KINDS
from methods.decoding.rows import Plan, Rows

DENOISE = KINDS.index("denoise")


def whole(rows: Rows, eligible: Tensor, must: Tensor | None = None) -> Plan:
    """A plan that recomputes the whole canvas of every row."""
    kind = torch.full_like(rows.total, DENOISE)
    return Plan(eligible, eligible.clone(), torch.zeros_like(rows.total), rows.total.clone(), kind, must)


@dataclass(frozen=True)
class Sequential:
    """Blocks of `block_size` from left to right; a block is left when it has no open slot.

    One block as long as the generation is decoding without blocks. least: forwards a block gets at least (the
    references' cache decoders always run a second one). own: `block`, `step` (forwards already spent on the block).
    """

    least: int = 1

    def start(self, rows: Rows) -> None:
        """Every row at its first block."""
        rows.own["block"] = torch.zeros_like(rows.total)
        rows.own["step"] = torch.zeros_like(rows.total)

    def span(self, rows: Rows) -> Tensor:
        """[B, 2]: start and end of the current block."""
        size = rows.values["block_size"]
        start = rows.prompt + rows.own["block"] * size
        return torch.stack([start, torch.minimum(start + size, rows.total)], 1)

    def plan(self, rows: Rows) -> Plan:
        """Everything open up to the end of the current block is eligible."""
        span = self.span(rows)
        return whole(rows, rows.open & (rows.shape.pos < span[:, 1:]), span)

    def advance(self, rows: Rows, chosen: Tensor) -> None:
        """Go to the next block when this one is full; done after the last, or when nothing is open any more."""
        span = self.span(rows)
        inside = (rows.shape.pos >= span[:, :1]) & (rows.shape.pos < span[:, 1:])
        rows.own["step"] = rows.own["step"] + 1
        full = ~(rows.open & inside).any(1) & (rows.own["step"] >= self.least)
        self.leave(rows, full, span)

    def leave(self, rows: Rows, full: Tensor, span: Tensor) -> None:
        """Move the rows where `full` to their next block."""
        rows.done = rows.done | (full & ((span[:, 1] >= rows.total) | ~rows.open.any(1)))
        rows.own["block"] = rows.own["block"] + full
        rows.own["step"] = torch.where(full, 0, rows.own["step"])


@dataclass(frozen=True)
class MultiBlock:
    """Pipelined blocks: the next is created when the last is far enough, and may always commit what is sure.

    d3LLM (Qian et al. 2026), section on multi-block decoding; TAD decodes the same way. A block is *active* once its
    predecessor's decoded share reaches `decoded_token_threshold`; the first active block with open slots must
    progress. At most one block is created a forward, when the last one's share reaches `block_add_threshold`.
    own: `created` [B], `active` [B, K].
    """

    def start(self, rows: Rows) -> None:
        """The first block exists, and is active because the prompt is complete."""
        rows.own["created"] = torch.ones_like(rows.total)
        rows.own["active"] = torch.zeros(len(rows), rows.shape.blocks, dtype=torch.bool, device=rows.ids.device)
        rows.own["active"][:, 0] = rows.values["decoded_token_threshold"] <= 1

    def counts(self, rows: Rows) -> Tensor:
        """[B, K]: open slots of each block."""
        zero = torch.zeros(len(rows), rows.shape.blocks + 1, dtype=torch.long, device=rows.ids.device)
        return zero.scatter_add(1, block_index(rows, rows.shape.blocks), rows.open.long())[:, : rows.shape.blocks]

    def plan(self, rows: Rows) -> Plan:
        """Activate, create, and offer every open slot of the created blocks."""
        counts = self.counts(rows)
        grow(rows, counts, rows.own["created"] < edges(rows, rows.shape.blocks)[2])
        return offer(rows, counts, rows.open)

    def advance(self, rows: Rows, chosen: Tensor) -> None:
        """Done when nothing is open."""
        rows.done = rows.done | ~rows.open.any(1)


def block_index(rows: Rows, blocks: int) -> Tensor:
    """[B, C]: the block of every slot, `blocks` for prompt, padding and what lies behind the last block."""
    index = (rows.shape.pos - rows.prompt[:, None]).div(rows.values["block_size"][:, None], rounding_mode="floor")
    return torch.where(rows.gen & (index < blocks), index, blocks)


def edges(rows: Rows, blocks: int) -> tuple[Tensor, Tensor, Tensor]:
    """(start [B, K], end [B, K], number of blocks [B]); the number is rounded up."""
    size = rows.values["block_size"]
    start = rows.prompt[:, None] + torch.arange(blocks, device=size.device) * size[:, None]
    end = torch.minimum(start + size[:, None], rows.total[:, None])
    return start, end, (rows.total - rows.prompt + size - 1) // size


def share(rows: Rows, counts: Tensor) -> Tensor:
    """[B, K + 1]: the decoded share of the prompt (always 1) and of each block."""
    start, end, _ = edges(rows, counts.shape[1])
    size = (end - start).clamp_min(1)
    return torch.cat([torch.ones_like(size[:, :1], dtype=torch.float64), 1 - counts.double() / size], 1)


def grow(rows: Rows, counts: Tensor, may: Tensor) -> None:
    """Activate blocks by their predecessors' share, then create one block in the rows where `may` [B]."""
    created, active = rows.own["created"], rows.own["active"]
    blocks = torch.arange(counts.shape[1], device=counts.device)
    done = share(rows, counts)
    bar = rows.values["decoded_token_threshold"][:, None]
    rows.own["active"] = active | ((done[:, :-1] >= bar) & (blocks < created[:, None]))
    last = done.gather(1, created[:, None])[:, 0]
    left = counts.gather(1, created[:, None] - 1)[:, 0]
    add = may & ((last >= rows.values["block_add_threshold"]) | (left == 0))
    rows.own["active"] |= (blocks == created[:, None]) & (add & (last >= bar[:, 0]))[:, None]
    rows.own["created"] = created + add


def offer(rows: Rows, counts: Tensor, slots: Tensor) -> Plan:
    """A whole-canvas plan over `slots` [B, C] left of the end of the last block that is active or unfinished."""
    blocks = counts.shape[1]
    start, end, _ = edges(rows, blocks)
    number = torch.arange(blocks, device=counts.device)
    made = number < rows.own["created"][:, None]
    last = torch.where(made & (rows.own["active"] | (counts > 0)), number, -1).amax(1)
    rows.own["last"] = last
    limit = end.gather(1, last.clamp_min(0)[:, None])
    wants = made & rows.own["active"] & (counts > 0)
    first = torch.where(wants, number, blocks).amin(1)
    at = first.clamp_max(blocks - 1)[:, None]
    span = torch.cat([start.gather(1, at), end.gather(1, at)], 1)
    must = torch.where((first < blocks)[:, None], span, 0)
    return whole(rows, slots & (rows.shape.pos < limit) & (last >= 0)[:, None], must)
