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

from methods.decoding.caches import BlockCausal
from methods.decoding.forwards import DENOISE, PREFILL, REFRESH
from methods.decoding.policies import BlockPolicy, whole_canvas
from methods.decoding.state import Plan, State


@dataclass(frozen=True)
class V2Blocks(BlockPolicy):
    """Prefill, then denoise a block sub-block by sub-block, then cache it. Needs `V2Cache`.

    own: `known` (blocks whose tokens are all there end here), `shown` (end of the canvas shown to the model),
    `caching` (whether this forward computes known blocks to keep them).
    """

    memory = ("known", "shown", "caching")
    needs = ("cached",)
    values = ("block_size", "sub_block_size")

    def start(self, state: State) -> None:
        """Whole prompt blocks are known; the plan finds them."""
        state.own["known"], state.own["shown"] = torch.zeros_like(state.total), torch.zeros_like(state.total)
        state.own["caching"] = torch.zeros_like(state.done)

    def plan(self, state: State) -> Plan:
        """Cache the known blocks if any are new, else decode in the current block."""
        size, sub = state.values["block_size"], state.values["sub_block_size"]
        first_open = state.first(state.open, otherwise=state.total)
        known = first_open // size * size
        caching = known > state.own["cached"]
        end = torch.minimum(known + size, state.total)
        shown = caching & state.open.any(1)  # a finished row is planned too, and its result ends with what is shown
        state.own["known"], state.own["shown"] = known, torch.where(shown, known, end)
        start = known + (first_open - known) // sub * sub
        inside = state.inside(torch.stack([start, torch.minimum(start + sub, end)], 1))
        next_one = (state.shape.pos == known[:, None]) & (state.shape.shift == 1)
        eligible = state.open & torch.where(caching[:, None], next_one, inside)
        state.own["caching"] = caching
        return whole_canvas(state, eligible, torch.stack([start, start + sub], 1))

    def advance(self, state: State, chosen: Tensor) -> None:
        """Done when nothing is open."""
        state.done = state.done | ~state.open.any(1)

    def end(self, state: State) -> Tensor:
        """The end of the last block, or of the canvas within it."""
        return state.own["shown"]


@dataclass(frozen=True)
class V2Cache(BlockCausal):
    """From the cached blocks to the end of the current one; `caching` forwards freeze what they computed.

    own: `cached` [B], the end of the cached blocks. Needs `V2Blocks`.
    """

    memory = ("cached",)
    needs = ("known", "shown", "caching")
    family = "block"

    def start(self, state: State) -> None:
        """Nothing cached."""
        state.own["cached"] = torch.zeros_like(state.total)

    def window(self, state: State, plan: Plan) -> None:
        """The uncached part, never earlier: a block's first slot is scored by the caching forward."""
        caching, cached = state.own["caching"], state.own["cached"]
        plan.start, plan.stop = cached, state.own["shown"]
        plan.kind = torch.where(caching, torch.where(cached == 0, PREFILL, REFRESH), DENOISE)

    def after(self, state: State, plan: Plan) -> None:
        """Freeze the known blocks once they were computed with all their tokens."""
        state.own["cached"] = torch.where(state.own["caching"], state.own["known"], state.own["cached"])
