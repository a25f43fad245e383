"""The multi-block decoders of d3LLM and TAD and d3LLM's delayed cache as they really behave."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad

from methods.decoding.blocks import MultiBlock, grow, offer, per_block
from methods.decoding.caches import DENOISE, PREFILL, REFRESH, NoCache
from methods.decoding.rows import STUCK, Plan, Rows

GUARD = 10000


@dataclass(frozen=True)
class Counted(MultiBlock):
    """Multi-block decoding by stored mask counts, which an early stop can leave wrong.

    repair: how the early stop mends the counts of existing blocks: `d3llm` (blocks behind the EOS and the one that
    holds it), `recount` (d3LLM's Dream code counts all again), `never` (TAD). early_stop: fill the tail before each
    forward, from a list of open slots taken BEFORE the fill, so that filled slots can be decoded again in the same
    forward. cached: counts never go below zero, and a forward without anything to decode may be wanted. up: the
    number of blocks is rounded up, else down (the tail is then never decoded). reopen: a forced slot that was not
    open is written with the mask id (TAD on Dream). own: `counts` [B, K], `eos_at`, `fresh` [B, K].
    """

    repair: str
    early_stop: bool
    cached: bool = False
    up: bool = False
    reopen: bool = False

    def start(self, rows: Rows) -> None:
        """All blocks full of open slots, the first one created."""
        super().start(rows)
        rows.own["counts"] = (rows.own["ends"] - rows.own["starts"]).clamp_min(0)
        rows.own["eos_at"] = rows.total.clone()
        rows.own["fresh"] = torch.zeros_like(rows.own["active"])

    def number(self, rows: Rows) -> Tensor:
        """[B]: how many blocks the reference makes of the generation."""
        size = rows.values["block_size"]
        return (rows.total - rows.prompt + (size - 1 if self.up else 0)) // size

    def plan(self, rows: Rows) -> Plan:
        """One turn of the reference's loop up to its forward."""
        slots, number = rows.open.clone(), self.number(rows)
        over = ~slots.any(1) & (rows.own["created"] >= number)
        rows.done = rows.done | over | (rows.forwards > GUARD)
        has = torch.zeros_like(rows.done)
        if self.early_stop:
            has = self._stop(rows, number, ~rows.done)
            ended = has & ~rows.open.any(1) & ~rows.done
            rows.phantom += ended.long()
            rows.done = rows.done | ended
        made = rows.shape.block < rows.own["created"][:, None]
        rows.own["counts"] = torch.where(made, rows.own["counts"], per_block(rows, rows.open))
        may = rows.own["created"] < number
        grow(rows, rows.own["counts"], may & ~has if self.repair != "never" else may)
        plan = offer(rows, rows.own["counts"], slots)
        return self._score(rows, plan)

    def _score(self, rows: Rows, plan: Plan) -> Plan:
        """Where nothing in the span that must progress is eligible its first slot will be forced: score it too."""
        assert plan.must is not None
        span = (rows.shape.pos >= plan.must[:, :1]) & (rows.shape.pos < plan.must[:, 1:])
        empty = ~(plan.eligible & span).any(1, keepdim=True)
        if not self.reopen:
            plan.scored = plan.scored | (empty & span & (rows.shape.pos == plan.must[:, :1]))
        stuck = ~plan.eligible.any(1) & (plan.must[:, 1] == 0) & ~rows.done
        if not self.cached:
            rows.bad = torch.where(stuck, STUCK, rows.bad)
        return plan

    def _stop(self, rows: Rows, number: Tensor, live: Tensor) -> Tensor:
        """Fill the tail behind the first EOS, mend counts as this reference does, create the rest as finished."""
        ends = rows.is_eos() & live[:, None]
        has, at = ends.any(1), torch.where(ends, rows.shape.pos, rows.shape.width).amin(1, keepdim=True)
        rows.fill(rows.gen & (rows.shape.pos > at), int(rows.shape.eos[0]))
        start, end, blocks = rows.own["starts"], rows.own["ends"], rows.shape.block
        made = (blocks < rows.own["created"][:, None]) & has[:, None]
        counts = rows.own["counts"]
        if self.repair != "never":
            left = per_block(rows, rows.open)
            behind = made & (start > at) & (counts != 0)
            holds = made & (start <= at) & (end > at) & (counts != left)
            counts = torch.where(behind, 0, torch.where(holds, left, counts))
            rows.own["active"] = rows.own["active"] | behind | (holds & (left == 0))
            if self.repair == "recount":
                wrong = made & (counts != left)
                counts = torch.where(wrong, left, counts)
                rows.own["active"] = rows.own["active"] | (wrong & (left == 0))
        fresh = has[:, None] & (blocks >= rows.own["created"][:, None]) & (blocks < number[:, None])
        rows.own["fresh"], rows.own["eos_at"] = fresh, torch.where(has, at[:, 0], rows.total)
        rows.own["counts"] = torch.where(fresh, 0, counts)
        rows.own["active"] = rows.own["active"] | fresh
        rows.own["created"] = torch.where(has, torch.maximum(number, rows.own["created"]), rows.own["created"])
        return has

    def advance(self, rows: Rows, chosen: Tensor) -> None:
        """Subtract what was committed, filled slots included."""
        counts, spent = rows.own["counts"], per_block(rows, chosen)
        if self.cached:
            rows.own["counts"] = torch.where(spent > 0, (counts - spent).clamp_min(0), counts)
        else:
            rows.own["counts"] = torch.where(counts > 0, counts - spent, counts)
        if self.reopen:
            rows.open = rows.open | (chosen & (rows.ids == rows.shape.mask))


@dataclass(frozen=True)
class MisalignedDelayed(NoCache):
    """d3LLM's delayed cache: a list of cached tokens and, beside it, a length that a refresh does not correct.

    When several blocks wait at once, a refresh caches past that length, and the next forward feeds those positions
    again: their keys are then read twice. The store is a region for the list (two canvases long) and one for the
    window. go_on: a waiting block does not end the walk (Dream). own: `length` (the reference's manual length),
    `held` (entries of the list), `warm`, `finished_at`, `marked` [B, K + 1], `mode`, `split`.
    """

    go_on: bool

    def start(self, rows: Rows) -> None:
        """Nothing cached; the prompt was complete at NFE 0."""
        blocks = rows.own["active"].shape[1]
        for name in ("length", "held", "split", "update"):
            rows.own[name] = torch.zeros_like(rows.total)
        rows.own["warm"] = torch.zeros_like(rows.done)
        rows.own["refreshed"] = torch.zeros_like(rows.done)
        rows.own["finished_at"] = torch.full((len(rows), blocks + 1), -1, device=rows.ids.device)
        rows.own["finished_at"][:, 0] = 0
        rows.own["marked"] = torch.zeros(len(rows), blocks + 1, dtype=torch.bool, device=rows.ids.device)

    def window(self, rows: Rows, plan: Plan) -> None:
        """Choose between caching, reading the cache, refreshing and a plain forward."""
        own = rows.own
        now, length = (rows.forwards + 1)[:, None], own["length"]
        start, end, made, counts = self._blocks(rows)
        self._early(rows, start, now)
        done_at, empty = own["finished_at"], made & (counts == 0)
        delay = torch.where(done_at < 0, 0, now - done_at)
        wait = rows.values["cache_delay"][:, None]
        skip = end <= length[:, None]
        halt = made & ~skip & (~empty | ((not self.go_on) & (delay < wait)))
        reached = made & ~skip & (halt.long().cumsum(1) - halt.long() == 0)
        done_at = torch.where(reached & empty & (done_at < 0), now, done_at)
        ripe = reached & empty & (now - done_at >= wait) & ~own["marked"]
        own["finished_at"], own["marked"] = done_at, own["marked"] | ripe
        own["update"] = torch.where(ripe.any(1), torch.where(ripe, end, 0).amax(1) - length, 0)
        waiting = empty & (done_at >= 0) & ~own["marked"]
        places = torch.where(waiting | (made & (counts > 0)), start, length[:, None])
        first = torch.minimum(places.amin(1), length)
        limit = end.gather(1, own["last"].clamp_min(-1)[:, None] + 1)[:, 0]
        stop = (first >= limit) & ~rows.done
        rows.phantom += stop.long()
        rows.done = rows.done | stop
        adds = own["update"] > 0
        due = waiting.any(1) | (now[:, 0] % rows.values["refresh_interval"] == 0)
        own["refreshed"] = ~adds & own["warm"] & due
        reads = adds | (own["warm"] & ~due)
        latest = torch.where(waiting, start, -1).amax(1)
        own["split"] = torch.where(own["refreshed"], torch.where(latest >= 0, latest, length), length + own["update"])
        plan.start = torch.where(reads, torch.where(adds, length, first), 0)
        kind = torch.where(adds & ~own["warm"], PREFILL, DENOISE)
        plan.kind = torch.where(own["refreshed"], REFRESH, kind)

    def _blocks(self, rows: Rows) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """start, end, created, counts [B, K + 1] with the prompt as block 0."""
        start, counts = (pad(rows.own[name], (1, 0)) for name in ("starts", "counts"))
        end = torch.cat([rows.prompt[:, None], rows.own["ends"]], 1)
        made = pad(rows.shape.block < rows.own["created"][:, None], (1, 0), value=True)
        return start, end, made, counts

    def _early(self, rows: Rows, start: Tensor, now: Tensor) -> None:
        """Blocks behind the EOS count as cached: the new ones, on Dream the existing ones too."""
        own = rows.own
        behind = torch.cat([torch.zeros_like(own["fresh"][:, :1]), own["fresh"]], 1)
        if self.go_on:
            behind = behind | (start > own["eos_at"][:, None])
            behind[:, 0] = False
        own["marked"] = own["marked"] | behind
        own["finished_at"] = torch.where(behind & (own["finished_at"] < 0), now, own["finished_at"])
        own["fresh"] = torch.zeros_like(own["fresh"])

    def store_slots(self, width: int) -> int:
        """The list, the window, the spare slot."""
        return 3 * width + 1

    def access(self, rows: Rows, plan: Plan, positions: Tensor, used: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """Tokens left of `split` go to the list, the rest to the window's region."""
        own, width = rows.own, rows.shape.width
        adds, held = own["update"] > 0, own["held"]
        lists = adds | own["refreshed"]
        base = torch.where(adds, held - own["length"], 0)[:, None]
        listed = lists[:, None] & (positions < own["split"][:, None])
        slots = torch.where(listed, positions + base, positions + 2 * width)
        count = torch.where(adds, held + own["update"], torch.where(own["refreshed"], own["split"], held))
        count = torch.where(adds | own["warm"], count, 0)[:, None]
        fresh = torch.where(lists, own["split"], plan.start)[:, None] + 2 * width
        slot = torch.arange(3 * width + 1, device=positions.device)[None]
        readable = (slot < count) | ((slot >= fresh) & (slot < rows.total[:, None] + 2 * width))
        return torch.where(used, slots, 3 * width), readable

    def after(self, rows: Rows, plan: Plan) -> None:
        """Lengthen the list; a refresh replaces it and forgets to say so to `length`."""
        own = rows.own
        adds = own["update"] > 0
        own["held"] = torch.where(own["refreshed"], own["split"], own["held"] + own["update"])
        own["length"] = own["length"] + own["update"]
        own["warm"] = own["warm"] | adds
