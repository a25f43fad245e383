"""One forward on the windows of a group of rows, and the head on their scored positions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from methods.decoding.request import Decoder
from methods.decoding.rows import Plan, Rows

if TYPE_CHECKING:
    from methods.decoding.loop import Host


def run_window(
    backbone: Any,
    decoder: Decoder,
    store: Any,
    rows: Rows,
    plan: Plan,
    host: Host,
    group: list[int] | None,
    tokens: Tensor,
    cost: Tensor,
) -> None:
    """Write token and cost of every scored position of `group` (None: all rows) into `tokens`, `cost` [B, C]."""
    members = range(len(rows)) if group is None else group
    place = None if group is None else torch.tensor(group, device=rows.ids.device)
    part, aim = (rows, plan) if place is None else (rows.take(place), plan.take(place))
    starts, stops = {host.start[row] for row in members}, {host.stop[row] for row in members}
    first = starts.pop() if len(starts) == len(stops) == 1 else None  # one slice of the canvas for all rows
    width = max(host.stop[row] - host.start[row] for row in members)
    wide = min(-(-width // backbone.grain) * backbone.grain, rows.shape.width)
    if wide > width:  # few shapes, for a CUDA graph of each; what is added is not used
        first, width = None, wide
    scored = sum(host.scored[row] for row in members)

    if first is not None:
        positions = rows.shape.pos[:, first : first + width].expand(len(members), -1)
        ids = part.ids[:, first : first + width]
    else:
        positions = (aim.start[:, None] + rows.shape.pos[:, :width]).clamp_max(rows.shape.width - 1)
        ids = part.ids.gather(1, positions)
    slots = readable = None
    if store is not None or first is None:
        assert decoder.cache is not None
        used = rows.shape.pos[:, :width] < (aim.stop - aim.start)[:, None]
        slots, readable = decoder.cache.access(part, aim, positions, used)
    own = store if place is None or store is None else _borrow(backbone, store, place)
    hidden = backbone.hidden(ids, positions, store=own, slots=slots, readable=readable)
    if place is not None and store is not None:
        _give_back(store, own, place)
    if not scored:
        return
    at, pos = _where(aim.scored, scored)
    before = rows.shape.shift + (aim.start[at] if first is None else first)
    local = pos if first == 0 and not rows.shape.shift else (pos - before).clamp_min(0)
    logits = backbone.head(hidden[at, local])
    assert decoder.score is not None
    row = at if place is None else place[at]  # of the batch, not of the group: a scorer may keep memory there
    token, value = decoder.score(logits, rows, row, pos)
    tokens[row, pos] = token
    cost[row, pos] = value


def _where(mask: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Row and column of the `count` True elements of `mask`; their number is known, so nothing is synchronised."""
    found = torch.nonzero_static(mask, size=count) if mask.is_cuda else mask.nonzero()
    row, column = found.unbind(1)
    return row, column


def _borrow(backbone: Any, store: Any, place: Tensor) -> Any:
    """A store with copies of the rows `place`."""
    part = backbone.new_store(0, store.slots)
    for mine, theirs in zip(part.layers, store.layers, strict=True):
        mine.keys, mine.values = theirs.keys[place], theirs.values[place]
    return part


def _give_back(store: Any, part: Any, place: Tensor) -> None:
    """Write borrowed rows back."""
    for mine, theirs in zip(part.layers, store.layers, strict=True):
        theirs.keys[place], theirs.values[place] = mine.keys, mine.values
