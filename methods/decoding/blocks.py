"""Block policies: in turn, several at once, on a growing canvas, one token after the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import pad

from methods.decoding.policies import BlockPolicy, Names, whole_canvas
from methods.decoding.state import Plan, State


@dataclass(frozen=True)
class Sequential(BlockPolicy):
    """Blocks of `block_size` from left to right; a block is left when it has no open slot.

    One block as long as the generation is decoding without blocks. own: `span` [B, 2] (start and end of the block),
    `step` (forwards already spent on it).
    """

    memory: ClassVar[Names] = ("span", "step")
    values: ClassVar[Names] = ("block_size",)

    def start(self, state: State) -> None:
        """Every row at its first block."""
        state.own["step"] = torch.zeros_like(state.total)
        end = torch.minimum(state.prompt + state.values["block_size"], state.total)
        state.own["span"] = torch.stack([state.prompt, end], 1)

    def plan(self, state: State) -> Plan:
        """Everything open up to the end of the current block is eligible."""
        span = state.own["span"]
        return whole_canvas(state, state.open & (state.shape.pos < span[:, 1:]), span)

    def advance(self, state: State, chosen: Tensor) -> None:
        """Go to the next block when this one is full; done when nothing is open any more."""
        state.own["step"] = state.own["step"] + 1
        first_open = state.first(state.open)
        full = self.full(state, first_open)
        state.done = state.done | (full & (first_open == state.shape.width))
        self.leave(state, full)

    def full(self, state: State, first_open: Tensor) -> Tensor:
        """[B]: whether the block may be left; no block before it has an open slot."""
        return first_open >= state.own["span"][:, 1]

    def leave(self, state: State, full: Tensor) -> None:
        """Move the rows where `full` to their next block; the last one ends with the canvas."""
        state.own["step"] = torch.where(full, 0, state.own["step"])
        span = state.own["span"] + (full * state.values["block_size"])[:, None]
        state.own["span"] = torch.minimum(span, state.total[:, None])


@dataclass(frozen=True)
class MultiBlock(BlockPolicy):
    """Pipelined blocks: the next is created when the last is far enough, and may always commit what is sure.

    d3LLM (Qian et al. 2026), section on multi-block decoding; TAD decodes the same way. A block is *active* once its
    predecessor's decoded share reaches `decoded_token_threshold`; in the first active block with open slots a token
    must be committed. At most one block is created per forward, when the last one's share reaches
    `block_add_threshold`. own: `created` [B], `active` [B, K], `last` [B] (the last block that is active or
    unfinished); and what never changes: `block_of` [B, C], `number` [B] (of blocks, rounded up), `starts`, `ends`,
    `sizes` [B, K] (absolute positions; at least 1).
    """

    memory: ClassVar[Names] = ("created", "active", "last", "block_of", "number", "starts", "ends", "sizes")
    values = ("block_size", "block_add_threshold", "decoded_token_threshold")

    def start(self, state: State) -> None:
        """The first block exists, and is active because the prompt is complete."""
        own, size = state.own, state.values["block_size"]
        start = state.prompt[:, None] + state.shape.block * size[:, None]
        own["starts"], own["ends"] = start, torch.minimum(start + size[:, None], state.total[:, None])
        own["sizes"] = (own["ends"] - start).clamp_min(1).double()
        own["number"] = (state.total - state.prompt + size - 1) // size
        own["block_of"] = block_index(state)
        own["created"], own["last"] = torch.ones_like(state.total), torch.zeros_like(state.total)
        own["active"] = (state.shape.block == 0) & (state.values["decoded_token_threshold"] <= 1)[:, None]

    def plan(self, state: State) -> Plan:
        """Activate, create, and offer every open slot of the created blocks."""
        counts = per_block(state, state.open)
        grow(state, counts, state.own["created"] < state.own["number"])
        return offer(state, counts, state.open)

    def advance(self, state: State, chosen: Tensor) -> None:
        """Done when nothing is open."""
        state.done = state.done | ~state.open.any(1)


def block_index(state: State) -> Tensor:
    """[B, C]: the block of every slot, K (their most) for prompt, padding and what lies behind the last block."""
    size = state.values["block_size"][:, None]
    index = (state.shape.pos - state.prompt[:, None]).div(size, rounding_mode="floor")
    return torch.where(state.gen & (index < state.shape.blocks), index, state.shape.blocks)


def per_block(state: State, slots: Tensor) -> Tensor:
    """[B, K]: how many of `slots` [B, C] lie in each block."""
    zero = torch.zeros(len(state), state.shape.blocks + 1, dtype=torch.long, device=slots.device)
    return zero.scatter_add_(1, state.own["block_of"], slots.long())[:, :-1]


def grow(state: State, counts: Tensor, may: Tensor) -> None:
    """Activate blocks by their predecessors' decoded share, then create one block in the rows where `may` [B]."""
    bar, created = state.values["decoded_token_threshold"][:, None], state.own["created"][:, None]
    share = pad(1 - counts / state.own["sizes"], (1, 0), value=1.0)  # [B, K + 1], the prompt's first
    active = state.own["active"] | ((share[:, :-1] >= bar) & (state.shape.block < created))
    last = share.gather(1, created)
    add = may[:, None] & (last >= state.values["block_add_threshold"][:, None])
    state.own["active"] = active | ((state.shape.block == created) & add & (last >= bar))
    state.own["created"] = (created + add)[:, 0]


def offer(state: State, counts: Tensor, slots: Tensor) -> Plan:
    """A whole-canvas plan over `slots` [B, C] left of the end of the last block that is active or unfinished."""
    block, blocks, own = state.shape.block, state.shape.blocks, state.own
    made, unfinished = block < own["created"][:, None], counts > 0
    last = torch.where(made & (own["active"] | unfinished), block, -1).amax(1)
    own["last"] = last
    limit = own["ends"].gather(1, last.clamp_min(0)[:, None])
    first = torch.where(made & own["active"] & unfinished, block, blocks).amin(1, keepdim=True)
    at = first.clamp_max(blocks - 1)
    span = torch.cat([own["starts"].gather(1, at), own["ends"].gather(1, at)], 1)
    must_commit = torch.where(first < blocks, span, 0)
    return whole_canvas(state, slots & (state.shape.pos < limit) & (last >= 0)[:, None], must_commit)


@dataclass(frozen=True)
class Growing(BlockPolicy):
    """D2F (Wang et al. 2025): blocks are appended one per forward while the last is far enough and no EOS was seen.

    A block is *complete* (a token of it must be committed) once its left neighbour's decoded share reaches
    `decoded_token_threshold`; its plans name no single span, `PerBlock` reads `complete`. own: `created`, `complete`
    [B, K + 1], `block_of` [B, C], `grown` (end of the canvas), `finished` (end of the leading finished blocks), both
    absolute positions.
    """

    spans = False
    memory: ClassVar[Names] = ("created", "complete", "block_of", "grown", "finished")
    values = ("block_size", "block_add_threshold", "decoded_token_threshold")

    def start(self, state: State) -> None:
        """No block yet: the first plan appends one, for the prompt is complete."""
        state.own["created"] = torch.zeros_like(state.total)
        complete = torch.zeros(len(state), state.shape.blocks + 1, dtype=torch.bool, device=state.ids.device)
        state.own["complete"] = complete
        state.own["block_of"] = block_index(state)
        state.own["grown"], state.own["finished"] = state.prompt.clone(), state.prompt.clone()

    def plan(self, state: State) -> Plan:
        """Append, mark complete, and offer every open slot of the grown canvas."""
        size = state.values["block_size"]
        counts = per_block(state, state.open)
        share = pad((size[:, None] - counts).double() / size[:, None], (1, 0), value=1.0)  # the prompt's first
        created = state.own["created"]
        may = (state.prompt + created * size < state.total) & ~self.ended(state)
        last = share.gather(1, created[:, None])[:, 0]
        created = created + (may & (last >= state.values["block_add_threshold"]))
        state.own["created"] = created
        made = state.shape.block < created[:, None]
        ready = share[:, :-1] >= state.values["decoded_token_threshold"][:, None]
        state.own["complete"][:, : state.shape.blocks] |= made & ready
        end = state.prompt + created * size
        state.own["grown"] = end
        here = state.open & (state.shape.pos < end[:, None])
        first_open = state.first(here, otherwise=end)
        state.own["finished"] = state.prompt + (first_open - state.prompt) // size * size
        state.done = state.done | ~here.any(1)
        return whole_canvas(state, here)

    def ended(self, state: State) -> Tensor:
        """[B]: whether an EOS was seen, after which no block is appended."""
        return state.is_eos().any(1)

    def advance(self, state: State, chosen: Tensor) -> None:
        """The plan reads everything from the canvas."""

    def end(self, state: State) -> Tensor:
        """Only the grown part is the result."""
        return state.own["grown"]


@dataclass(frozen=True)
class OneByOne(BlockPolicy):
    """Left to right, the next slot only. own: `written` [B], where the tokens already there end."""

    memory = ("written",)

    def start(self, state: State) -> None:
        """No token yet."""
        state.own["written"] = state.prompt.clone()

    def plan(self, state: State) -> Plan:
        """The slot after the last token."""
        at = state.own["written"][:, None]
        return whole_canvas(state, state.open & (state.shape.pos == at), torch.cat([at, at + 1], 1))

    def advance(self, state: State, chosen: Tensor) -> None:
        """One further; done at the end of the canvas."""
        state.own["written"] = state.own["written"] + 1
        state.done = state.done | (state.own["written"] >= state.total)

    def end(self, state: State) -> Tensor:
        """A row that ends early gives what was written."""
        return state.own["written"]
