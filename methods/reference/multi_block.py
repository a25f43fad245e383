"""The multi-block decoders of d3LLM and TAD and d3LLM's delayed cache as they really behave."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad

from methods.decoding.blocks import MultiBlock, grow, offer, per_block
from methods.decoding.forwards import DENOISE, PREFILL, REFRESH
from methods.decoding.policies import CachePolicy
from methods.decoding.state import STUCK, Plan, State
from methods.reference.blocks import tokenizer_eos

GUARD = 10000


@dataclass(frozen=True)
class StaleCountMultiBlock(MultiBlock):
    """Multi-block decoding by stored mask counts, which an early stop can leave wrong.

    repair: how the early stop corrects the counts of existing blocks: `d3llm` (blocks behind the EOS and the one that
    holds it), `recount` (d3LLM's Dream code counts all again), `never` (TAD). early_stop: fill the tail before each
    forward, from a list of open slots taken BEFORE the fill, so that filled slots can be decoded again in the same
    forward. cached: counts never go below zero, and a forward without anything to decode may be wanted. up: the
    number of blocks is rounded up, else down (the tail is then never decoded). reopen: a forced slot that was not
    open is written with the mask id (TAD on Dream). own: `counts` [B, K], `eos_at`, `fresh` [B, K], `phantom` [B]
    (turns of the loop that are counted and run no forward).
    """

    memory = (*MultiBlock.memory, "counts", "eos_at", "fresh", "phantom")

    repair: str
    early_stop: bool
    cached: bool = False
    up: bool = False
    reopen: bool = False

    def start(self, state: State) -> None:
        """All blocks full of open slots, the first one created."""
        super().start(state)
        state.own["counts"] = (state.own["ends"] - state.own["starts"]).clamp_min(0)
        state.own["eos_at"] = state.total.clone()
        state.own["fresh"] = torch.zeros_like(state.own["active"])
        state.own["phantom"] = torch.zeros_like(state.total)

    def reported_forwards(self, state: State) -> Tensor:
        """[B]: with those that did not run."""
        return state.forwards + state.own["phantom"]

    def number(self, state: State) -> Tensor:
        """[B]: how many blocks the reference makes of the generation."""
        size = state.values["block_size"]
        return (state.total - state.prompt + (size - 1 if self.up else 0)) // size

    def plan(self, state: State) -> Plan:
        """One turn of the reference's loop up to its forward."""
        slots, number = state.open.clone(), self.number(state)
        over = ~slots.any(1) & (state.own["created"] >= number)
        state.done = state.done | over | (state.forwards > GUARD)
        has = torch.zeros_like(state.done)
        if self.early_stop:
            has = self._stop(state, number, ~state.done)
            ended = has & ~state.open.any(1) & ~state.done
            state.own["phantom"] = state.own["phantom"] + ended
            state.done = state.done | ended
        made = state.shape.block < state.own["created"][:, None]
        state.own["counts"] = torch.where(made, state.own["counts"], per_block(state, state.open))
        may = state.own["created"] < number
        grow(state, state.own["counts"], may & ~has if self.repair != "never" else may)
        plan = offer(state, state.own["counts"], slots)
        return self._score(state, plan)

    def _score(self, state: State, plan: Plan) -> Plan:
        """Where nothing in the span `must_commit` is eligible its first slot will be forced: score it too."""
        span = state.inside(plan.must_commit)
        empty = ~(plan.eligible & span).any(1, keepdim=True)
        if not self.reopen:
            plan.scored = plan.scored | (empty & span & (state.shape.pos == plan.must_commit[:, :1]))
        stuck = ~plan.eligible.any(1) & (plan.must_commit[:, 1] == 0) & ~state.done
        if not self.cached:
            state.bad = torch.where(stuck, STUCK, state.bad)
        return plan

    def _stop(self, state: State, number: Tensor, live: Tensor) -> Tensor:
        """Fill the tail behind the first EOS, correct counts as this reference does, create the rest as finished."""
        ends = tokenizer_eos(state) & live[:, None]
        has, at = ends.any(1), state.first(ends)[:, None]
        state.fill(state.gen & (state.shape.pos > at), int(state.shape.eos[0]))
        start, end, blocks = state.own["starts"], state.own["ends"], state.shape.block
        made = (blocks < state.own["created"][:, None]) & has[:, None]
        counts = state.own["counts"]
        if self.repair != "never":
            left = per_block(state, state.open)
            behind = made & (start > at) & (counts != 0)
            holds = made & (start <= at) & (end > at) & (counts != left)
            counts = torch.where(behind, 0, torch.where(holds, left, counts))
            state.own["active"] = state.own["active"] | behind | (holds & (left == 0))
            if self.repair == "recount":
                wrong = made & (counts != left)
                counts = torch.where(wrong, left, counts)
                state.own["active"] = state.own["active"] | (wrong & (left == 0))
        fresh = has[:, None] & (blocks >= state.own["created"][:, None]) & (blocks < number[:, None])
        state.own["fresh"], state.own["eos_at"] = fresh, torch.where(has, at[:, 0], state.total)
        state.own["counts"] = torch.where(fresh, 0, counts)
        state.own["active"] = state.own["active"] | fresh
        state.own["created"] = torch.where(has, torch.maximum(number, state.own["created"]), state.own["created"])
        return has

    def advance(self, state: State, chosen: Tensor) -> None:
        """Subtract what was committed, filled slots included."""
        counts, spent = state.own["counts"], per_block(state, chosen)
        if self.cached:
            state.own["counts"] = torch.where(spent > 0, (counts - spent).clamp_min(0), counts)
        else:
            state.own["counts"] = torch.where(counts > 0, counts - spent, counts)
        if self.reopen:
            state.open = state.open | (chosen & (state.ids == state.shape.placeholder))


@dataclass(frozen=True)
class MisalignedDelayed(CachePolicy):
    """d3LLM's delayed cache: a list of cached tokens and, beside it, a length that a refresh does not correct.

    When several blocks wait at once, a refresh caches past that length, and the next forward feeds those positions
    again: their keys are then read twice. The store is a region for the list (two canvases long) and one for the
    window. go_on: blocks right of a waiting one are looked at too (Dream). own: `length` (the reference's own
    count), `held` (entries of the list), `split`, `update`, `warm`, `refreshed` [B]; `finished_at`, `marked`
    [B, K + 1].
    """

    go_on: bool
    memory = ("length", "held", "split", "update", "warm", "refreshed", "finished_at", "marked")
    needs = ("counts", "fresh", "eos_at", "phantom", "last")
    values = ("cache_delay", "refresh_interval")

    def start(self, state: State) -> None:
        """Nothing cached; the prompt was complete at NFE 0."""
        blocks = state.own["active"].shape[1]
        for name in ("length", "held", "split", "update"):
            state.own[name] = torch.zeros_like(state.total)
        state.own["warm"] = torch.zeros_like(state.done)
        state.own["refreshed"] = torch.zeros_like(state.done)
        state.own["finished_at"] = torch.full((len(state), blocks + 1), -1, device=state.ids.device)
        state.own["finished_at"][:, 0] = 0
        state.own["marked"] = torch.zeros(len(state), blocks + 1, dtype=torch.bool, device=state.ids.device)

    def window(self, state: State, plan: Plan) -> None:
        """Choose between caching, reading the cache, refreshing and a plain forward."""
        own = state.own
        now, length = (state.forwards + 1)[:, None], own["length"]
        start, end, made, counts = self._blocks(state)
        self._early(state, start, now)
        done_at, empty = own["finished_at"], made & (counts == 0)
        delay = torch.where(done_at < 0, 0, now - done_at)
        wait = state.values["cache_delay"][:, None]
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
        stop = (first >= limit) & ~state.done
        own["phantom"] = own["phantom"] + stop
        state.done = state.done | stop
        adds = own["update"] > 0
        due = waiting.any(1) | (now[:, 0] % state.values["refresh_interval"] == 0)
        own["refreshed"] = ~adds & own["warm"] & due
        reads = adds | (own["warm"] & ~due)
        latest = torch.where(waiting, start, -1).amax(1)
        own["split"] = torch.where(own["refreshed"], torch.where(latest >= 0, latest, length), length + own["update"])
        plan.start = torch.where(reads, torch.where(adds, length, first), 0)
        kind = torch.where(adds & ~own["warm"], PREFILL, DENOISE)
        plan.kind = torch.where(own["refreshed"], REFRESH, kind)

    def _blocks(self, state: State) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """start, end, created, counts [B, K + 1] with the prompt as block 0."""
        start, counts = (pad(state.own[name], (1, 0)) for name in ("starts", "counts"))
        end = torch.cat([state.prompt[:, None], state.own["ends"]], 1)
        made = pad(state.shape.block < state.own["created"][:, None], (1, 0), value=True)
        return start, end, made, counts

    def _early(self, state: State, start: Tensor, now: Tensor) -> None:
        """Blocks behind the EOS count as cached: the new ones, on Dream the existing ones too."""
        own = state.own
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

    def access(self, state: State, plan: Plan, positions: Tensor, used: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """Tokens left of `split` go to the list, the rest to the window's region."""
        own, width = state.own, state.shape.width
        adds, held = own["update"] > 0, own["held"]
        lists = adds | own["refreshed"]
        base = torch.where(adds, held - own["length"], 0)[:, None]
        listed = lists[:, None] & (positions < own["split"][:, None])
        slots = torch.where(listed, positions + base, positions + 2 * width)
        count = torch.where(adds, held + own["update"], torch.where(own["refreshed"], own["split"], held))
        count = torch.where(adds | own["warm"], count, 0)[:, None]
        fresh = torch.where(lists, own["split"], plan.start)[:, None] + 2 * width
        slot = torch.arange(3 * width + 1, device=positions.device)[None]
        readable = (slot < count) | ((slot >= fresh) & (slot < state.total[:, None] + 2 * width))
        return torch.where(used, slots, 3 * width), readable

    def after(self, state: State, plan: Plan) -> None:
        """Lengthen the list; a refresh replaces it and leaves `length` as it was."""
        own = state.own
        adds = own["update"] > 0
        own["held"] = torch.where(own["refreshed"], own["split"], own["held"] + own["update"])
        own["length"] = own["length"] + own["update"]
        own["warm"] = own["warm"] | adds
