"""The one decoding loop, and the one place that counts forwards and positions.

A step: the block policy says what is eligible, the cache policy which window to recompute, one forward, the head on
the scored positions only, the commit rule, the stop policy. The next step's plan is made on the device and read by
the host in one transfer, which is the only synchronisation of a step. Finished rows give their place to waiting
prompts; rows whose windows differ much in width run as two groups, so that a row that refreshes its cache does not
widen the others. A row whose canvas was computed before, for another request, takes part in a step without a forward.
"""

from __future__ import annotations

import time
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from methods.decoding.appended import Appended
from methods.decoding.decoder import Decoder, ExternalDecoder, Request, Result
from methods.decoding.forwards import KINDS
from methods.decoding.history import History
from methods.decoding.policies import Scorer
from methods.decoding.reuse import Known
from methods.decoding.rounds import Numbered, parts
from methods.decoding.state import NAN, Plan, Shape, State
from methods.decoding.validate import not_a_number, validate
from methods.errors import MethodsError, MethodsUsageError

UNEVEN = 1.5  # widest over narrowest window beyond which a batch runs as two groups
REUSE_MB = 512.0


def decode(
    backbone: Any,
    requests: Sequence[Request],
    *,
    batch_size: int = 16,
    reuse_mb: float = REUSE_MB,
    note: Callable[[str], None] = warnings.warn,
) -> Iterator[Result]:
    """Decode `requests`, at most `batch_size` at once; results come in order of completion.

    Requests whose decoders have the same policies share batches, whatever their settings, prompts and lengths.
    reuse_mb: megabytes (2**20 bytes) for the canvases of prompts that several requests have in common; a canvas that is
    met again costs no forward, and nothing else differs. 0: none. note: gets a sentence if they are too few.
    Raises MethodsUsageError for a request that cannot be decoded or a batch size below 1 (before any forward) and
    MethodsError naming request and forward for logits that are not a number.
    """
    if batch_size < 1:
        raise MethodsUsageError(f"The batch size is {batch_size}; it must be at least 1.")
    numbered: list[Numbered] = list(enumerate(requests))
    for index, request in numbered:
        validate(backbone, request, index)
    for part in parts(numbered, int(reuse_mb * 2**20), note):
        decoder = part.requests[0][1].decoder
        if isinstance(decoder, ExternalDecoder):
            yield from decoder.decode(backbone, part.requests)
        else:
            yield from Batch(backbone, decoder, part.requests, batch_size, part.known).run()


def begin(decoder: Decoder, shape: Shape, requests: Sequence[Request]) -> State:
    """Fresh rows of `requests` with the memory of the policies; each row's numbers come from its own decoder.

    Raises MethodsError naming a policy whose `start` does not make the memory that it declares.
    """
    state = State.start(
        shape,
        [request.prompt_ids for request in requests],
        [request.gen_length for request in requests],
        [request.decoder.values for request in requests],
        [request.seed for request in requests],
    )
    for policy in decoder.policies:
        policy.start(state)
        lacking = [name for name in policy.memory if name not in state.own]
        if lacking:
            raise MethodsError(
                f"{type(policy).__name__} declares the memory {', '.join(map(repr, lacking))} and does not make it in "
                "`start`."
            )
    state.own.complete = True
    return state


@dataclass
class Host:
    """What the host knows of the coming forward of each row. codes: what its scores depend on, where that is asked."""

    done: list[int]
    bad: list[int]
    start: list[int]
    stop: list[int]
    scored: list[int]
    revised: list[int]
    codes: list[np.ndarray]


class Batch:
    """Requests that share their policies, decoded together; finished rows are replaced by waiting ones."""

    def __init__(
        self, backbone: Any, decoder: Decoder, requests: Sequence[Numbered], batch_size: int, known: Known | None = None
    ) -> None:
        special = backbone.special
        mask_id = decoder.mask_id if decoder.mask_id is not None else special.mask
        width = max(len(request.prompt_ids) + request.gen_length for _, request in requests)
        self.eos = frozenset(decoder.eos_ids or special.eos)
        eos = torch.tensor(decoder.eos_ids or special.eos, device=backbone.device)
        placeholder = special.pad if mask_id is None else mask_id
        blocks = max(_blocks(request) for _, request in requests)
        vocab = backbone.vocab_size
        self.shape = Shape(width, placeholder, eos, backbone.shift, backbone.device, blocks, vocab, mask_id)
        self.backbone, self.decoder, self.known = backbone, decoder, known
        self.scorers: tuple[Scorer, ...] = (decoder.score,) if known is None else known.scorers
        longest_first = sorted(requests, key=lambda item: len(item[1].prompt_ids) + item[1].gen_length, reverse=True)
        self.waiting = deque(longest_first)
        self.batch_size = min(batch_size, len(requests))
        slots = decoder.cache.store_slots(width)
        self.store = backbone.new_store(self.batch_size, slots) if slots else None
        self.kinds = torch.arange(len(KINDS), device=backbone.device)
        self.clock = 0.0
        self.history = History()

    def run(self) -> Iterator[Result]:
        """Decode everything."""
        index, began, state, plan, host = self._admit(self.batch_size)
        while index:
            tick = time.perf_counter()
            for row, bad in enumerate(host.bad):
                if bad:  # done or not: the forward that finishes a row can be the broken one
                    raise _failure(index[row], int(state.forwards[row]), bad)
            ended = [row for row, done in enumerate(host.done) if done]
            if ended:
                finished = self._results(state, ended, index, began)
                index, began, state, plan, host = self._replace(ended, index, began, state, plan, host)
                yield from finished
                continue
            plan, host = self._step(state, plan, host, index)
            self.clock += (time.perf_counter() - tick) / len(index)

    @torch.inference_mode()
    def _admit(self, count: int) -> tuple[list[int], list[float], State, Plan, Host]:
        """Start the next `count` waiting requests and plan their first forward."""
        taken = [self.waiting.popleft() for _ in range(min(count, len(self.waiting)))]
        requests = [request for _, request in taken]
        state = begin(self.decoder, self.shape, requests)
        plan, host = self._plan(state)
        return [index for index, _ in taken], [self.clock] * len(taken), state, plan, host

    def _plan(self, state: State, index: list[int] | None = None) -> tuple[Plan, Host]:
        """The next forward of every row, and the step's one transfer to the host.

        index: the requests of the rows, where a step ends with this plan (which may still write tokens).
        """
        plan = self.decoder.blocks.plan(state)
        self.decoder.cache.window(state, plan)
        scored = self._scored(state, plan)
        shown, since = state.shown, state.latest
        changed = torch.zeros_like(state.open) if shown is None else state.settle()
        facts = [state.done.long(), state.bad, plan.start, plan.stop, scored.sum(1), changed.sum(1)]
        read = torch.stack(facts, 1)
        if self.known is not None:
            read = torch.cat([read, self.known.code(state, plan)], 1)
        values, count = read.cpu().numpy(), len(facts)
        done, bad, start, stop, scores, revised = values[:, :count].T.tolist()
        if index is not None and shown is not None and any(revised):
            self.history.note(index, state, changed, shown[0], since)
        return plan, Host(done, bad, start, stop, scores, revised, list(values[:, count:].astype(np.int32)))

    def _scored(self, state: State, plan: Plan) -> Tensor:
        """[B, C]: the positions to score; where scores are kept for other requests, every open slot of the window."""
        if self.known is None:
            return plan.scored
        return plan.scored | (state.open & state.inside(torch.stack([plan.start, plan.stop], 1)))

    @torch.inference_mode()
    def _step(self, state: State, plan: Plan, host: Host, index: list[int]) -> tuple[Plan, Host]:
        """One forward of every row that needs one, the commits of all, and the next plan."""
        decoder, known = self.decoder, self.known
        tokens = torch.full_like(state.ids, self.shape.placeholder)
        cost = torch.full(state.ids.shape, torch.inf, dtype=torch.float64, device=self.shape.device)
        state.show()
        rows = list(range(len(index)))
        if known is not None:
            rows = known.recall(index, host.codes, tokens, cost)
            known.ran([index[row] for row in rows], [host.stop[row] - host.start[row] for row in rows])
        for group in _groups(host, rows):
            self._forward(state, plan, host, group, tokens, cost)
        if known is not None:
            tokens, cost = known.share(plan, tokens, cost)
        state.forwards += 1
        state.tokens = tokens
        state.kinds += plan.kind[:, None] == self.kinds
        state.positions += plan.stop - plan.start
        decoder.cache.after(state, plan)
        state.bad.masked_fill_(cost.isnan().any(1), NAN)
        decoder.blocks.observe(state, plan, cost)
        chosen = decoder.commit.select(state, plan, cost)
        state.fill(chosen, tokens)
        decoder.stop.apply(state)
        decoder.blocks.advance(state, chosen)
        return self._plan(state, index)

    def _forward(
        self, state: State, plan: Plan, host: Host, group: list[int] | None, tokens: Tensor, cost: Tensor
    ) -> None:
        """One forward on the windows of `group` (None: all rows), and the head on their scored positions.

        Writes token and cost of every scored position into `tokens`, `cost` [B, C].
        """
        backbone, shape, store = self.backbone, self.shape, self.store
        members = range(len(state)) if group is None else group
        place = None if group is None else torch.tensor(group, device=state.ids.device)
        part, aim = (state, plan) if place is None else (state.take(place), plan.take(place))
        first, width = _common(host, members, backbone.grain, shape.width)
        if first is not None:
            positions = shape.pos[:, first : first + width].expand(len(members), -1)
            ids = part.ids[:, first : first + width]
        else:
            positions = (aim.start[:, None] + shape.pos[:, :width]).clamp_max(shape.width - 1)
            ids = part.ids.gather(1, positions)
        slots = readable = None
        if store is not None or first is None:
            used = shape.pos[:, :width] < (aim.stop - aim.start)[:, None]
            slots, readable = self.decoder.cache.access(part, aim, positions, used)
        extra = self.decoder.blocks.appended(part, aim) if self.decoder.blocks.appends else None
        if extra is not None:
            ids, positions, readable = extra.join(ids, positions, aim.stop - aim.start)
        own = store if place is None or store is None else _borrow(backbone, store, place)
        hidden = backbone.hidden(ids, positions, store=own, slots=slots, readable=readable)
        if place is not None and store is not None:
            _give_back(store, own, place)
        if extra is not None:
            self._read_appended(state, extra, hidden[:, width:], place)
        scored = sum(host.scored[row] for row in members)
        if not scored:
            return
        at, pos = _where(self._scored(part, aim), scored)
        before = shape.shift + (aim.start[at] if first is None else first)
        local = pos if first == 0 and not shape.shift else (pos - before).clamp_min(0)
        logits = backbone.head(hidden[at, local])
        row = at if place is None else place[at]  # of the batch, not of the group: a scorer may keep memory there
        scores = [(scorer, *scorer(logits, state, row, pos)) for scorer in self.scorers]
        _, tokens[row, pos], cost[row, pos] = scores[0]
        if self.known is not None:
            self.known.note(members, [host.scored[row] for row in members], scores)

    def _read_appended(self, state: State, extra: Appended, hidden: Tensor, place: Tensor | None) -> None:
        """Count the positions appended to the rows `place` (None: all) and hand the scorer their logits."""
        used = extra.used.sum(1)
        state.positions += used if place is None else torch.zeros_like(state.positions).index_put((place,), used)
        at, spot = extra.scored.nonzero().unbind(1)
        if len(at):
            row = at if place is None else place[at]
            self.decoder.score.appended(self.backbone.head(hidden[at, spot]), state, row, spot)

    @torch.inference_mode()
    def _replace(
        self, ended: list[int], index: list[int], began: list[float], state: State, plan: Plan, host: Host
    ) -> tuple[list[int], list[float], State, Plan, Host]:
        """Waiting requests take the places of finished rows; places nobody wants are dropped."""
        new = self._admit(len(ended)) if self.waiting else ([], [], state, plan, host)
        filled = ended[: len(new[0])]
        if filled:
            at = torch.tensor(filled, device=self.shape.device)
            state.put(at, new[2])
            plan.put(at, new[3])
            for place, (one, start) in enumerate(zip(new[0], new[1], strict=True)):
                index[filled[place]], began[filled[place]] = one, start
            for name, values in vars(host).items():
                for place, row in enumerate(filled):
                    values[row] = getattr(new[4], name)[place]
        dropped = set(ended[len(filled) :])
        if dropped:
            keep = [row for row in range(len(index)) if row not in dropped]
            if not keep:
                return [], [], state, plan, host
            at = torch.tensor(keep, dtype=torch.long, device=self.shape.device)
            state, plan = state.take(at), plan.take(at)
            if self.store is not None:
                self.store.select(at)
            index, began = [index[row] for row in keep], [began[row] for row in keep]
            host = Host(**{name: [values[row] for row in keep] for name, values in vars(host).items()})
        return index, began, state, plan, host

    @torch.inference_mode()
    def _results(self, state: State, ended: list[int], index: list[int], began: list[float]) -> list[Result]:
        """The results of the rows `ended`, read from the device together."""
        at = torch.tensor(ended, device=self.shape.device)
        blocks = self.decoder.blocks
        stop = torch.minimum(blocks.end(state), state.total)
        nfe = blocks.reported_forwards(state)
        counted = (state.revisions, state.remasks, state.flickers)
        numbers = torch.stack([state.prompt, stop, nfe, state.positions, *counted], 1)
        read = (values[at].tolist() for values in (numbers, state.kinds, state.ids, state.reveal, state.latest))
        found = []
        for row, (start, end, nfe, positions, *counts), kinds, ids, reveal, latest in zip(ended, *read, strict=True):
            output, commits = ids[start:end], latest[start:end]
            ran = (-1, -1) if self.known is None else self.known.finish(index[row])
            found.append(
                Result(
                    index=index[row],
                    output_ids=output,
                    forwards=dict(zip(KINDS, kinds, strict=True)),
                    nfe=nfe,
                    positions=positions,
                    reveal_step=reveal[start:end],
                    stop_reason="length" if self.eos.isdisjoint(output) else "eos",
                    seconds=self.clock - began[row],
                    revisions=counts[0],
                    remasks=counts[1],
                    flickers=counts[2],
                    commit_step=commits,
                    edits=self.history.take(index[row], commits, output),
                    forwards_run=ran[0],
                    positions_run=ran[1],
                )
            )
        return found


def _blocks(request: Request) -> int:
    """Blocks of a request, rounded up."""
    size = int(request.decoder.values.get("block_size", 0)) or request.gen_length
    return -(-request.gen_length // size)


def _failure(index: int, forwards: int, bad: int) -> MethodsError:
    if bad == NAN:
        return not_a_number(index, forwards)
    return MethodsError(
        f"Request {index}: after {forwards} forwards no slot is eligible although some are open, so decoding would "
        "never end; a block size that does not divide the generation length does that to some decoders."
    )


def _groups(host: Host, rows: list[int]) -> list[list[int] | None]:
    """`rows` by the width of their window: all together (None for the whole batch), or wide and narrow ones apart."""
    if not rows:
        return []
    widths = {row: host.stop[row] - host.start[row] for row in rows}
    low, high = min(widths.values()), max(widths.values())
    if high <= UNEVEN * low:
        return [None if len(rows) == len(host.done) else rows]
    middle = (low + high) / 2
    wide = [row for row in rows if widths[row] > middle]
    return [wide, [row for row in rows if widths[row] <= middle]]


def _common(host: Host, members: Sequence[int], grain: int, canvas: int) -> tuple[int | None, int]:
    """(first position of the one slice that is every row's window, or None; width of the widest window)."""
    starts, stops = {host.start[row] for row in members}, {host.stop[row] for row in members}
    first = starts.pop() if len(starts) == len(stops) == 1 else None
    width = max(host.stop[row] - host.start[row] for row in members)
    wide = min(-(-width // grain) * grain, canvas)
    return (None, wide) if wide > width else (first, width)  # few shapes, one CUDA graph each; the rest is unused


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
