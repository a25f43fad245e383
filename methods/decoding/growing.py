"""Block policies whose canvas grows: D2F's pipeline of blocks, and one token after the other."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad

from methods.decoding.blocks import block_index, per_block, whole
from methods.decoding.rows import Plan, Rows


@dataclass(frozen=True)
class Growing:
    """D2F (Wang et al. 2025): blocks are appended one a forward while the last is far enough and no EOS was seen.

    A block is *complete* (it must progress) once its left neighbour's decoded share reaches
    `decoded_token_threshold`. own: `created`, `complete` [B, K + 1], `block_of` [B, C], `grown` (end of the canvas),
    `finished` (end of the leading finished blocks), both absolute positions.
    phantom: count the turn that only finds the end, as the reference does.
    """

    phantom: bool = False

    def start(self, rows: Rows) -> None:
        """No block yet: the first plan appends one, for the prompt is complete."""
        rows.own["created"] = torch.zeros_like(rows.total)
        rows.own["complete"] = torch.zeros(len(rows), rows.shape.blocks + 1, dtype=torch.bool, device=rows.ids.device)
        rows.own["block_of"] = block_index(rows)
        rows.own["grown"] = rows.prompt.clone()
        rows.own["finished"] = rows.prompt.clone()

    def plan(self, rows: Rows) -> Plan:
        """Append, mark complete, and offer every open slot of the grown canvas."""
        size = rows.values["block_size"]
        counts = per_block(rows, rows.open)
        share = pad((size[:, None] - counts).double() / size[:, None], (1, 0), value=1.0)  # the prompt's first
        created = rows.own["created"]
        may = (rows.prompt + created * size < rows.total) & ~rows.is_eos().any(1)
        last = share.gather(1, created[:, None])[:, 0]
        created = created + (may & (last >= rows.values["block_add_threshold"]))
        rows.own["created"] = created
        made = rows.shape.block < created[:, None]
        ready = share[:, :-1] >= rows.values["decoded_token_threshold"][:, None]
        rows.own["complete"][:, : rows.shape.blocks] |= made & ready
        end = rows.prompt + created * size
        rows.own["grown"] = end
        here = rows.open & (rows.shape.pos < end[:, None])
        first_open = torch.where(here, rows.shape.pos, end[:, None]).amin(1)
        rows.own["finished"] = rows.prompt + (first_open - rows.prompt) // size * size
        rows.done = rows.done | ~here.any(1)
        if self.phantom:
            rows.phantom = rows.done.long()
        return whole(rows, here)

    def advance(self, rows: Rows, chosen: Tensor) -> None:
        """Nothing to book: the plan reads the canvas. Rows that end keep only the grown part."""


@dataclass(frozen=True)
class OneByOne:
    """Left to right, the next slot only. own: `step`, the tokens already there, `grown`."""

    def start(self, rows: Rows) -> None:
        """No token yet."""
        rows.own["step"] = torch.zeros_like(rows.total)
        rows.own["grown"] = rows.prompt.clone()

    def plan(self, rows: Rows) -> Plan:
        """The slot after the last token."""
        at = (rows.prompt + rows.own["step"])[:, None]
        return whole(rows, rows.open & (rows.shape.pos == at), torch.cat([at, at + 1], 1))

    def advance(self, rows: Rows, chosen: Tensor) -> None:
        """One further; done at the end of the canvas."""
        rows.own["step"] = rows.own["step"] + 1
        rows.own["grown"] = rows.prompt + rows.own["step"]
        rows.done = rows.done | (rows.own["grown"] >= rows.total)
