"""The one decoding loop, and the one place that counts forwards and positions.

A step: the block policy says what is eligible, the cache policy which window to recompute, one forward, the head on
the scored positions only, the commit rule, the stop policy. The next step's plan is made on the device and read by
the host in one transfer, which is the only synchronisation of a step. Finished rows give their place to waiting
prompts; rows whose windows differ much in width run as two groups, so that a row that refreshes its cache does not
widen the others.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from methods.decoding.check import check, not_a_number
from methods.decoding.request import KINDS, Decoder, Request, Result
from methods.decoding.rows import NAN, Plan, Rows, Shape
from methods.decoding.window import run_window
from methods.errors import MethodsError, MethodsUsageError

UNEVEN = 1.5  # widest over narrowest window beyond which a batch runs as two groups


def decode(backbone: Any, requests: Sequence[Request], *, batch_size: int = 16) -> Iterator[Result]:
    """Decode `requests`, at most `batch_size` at once; results come in order of completion.

    Requests whose decoders have the same policies share batches, whatever their settings, prompts and lengths.
    Raises MethodsUsageError for a request that cannot be decoded or a batch size below 1 (before any forward) and
    MethodsError naming request and forward for logits that are not a number.
    """
    if batch_size < 1:
        raise MethodsUsageError(f"The batch size is {batch_size}; it must be at least 1.")
    requests = list(requests)
    for index, request in enumerate(requests):
        check(backbone, request, index)
    lanes: dict[Any, list[tuple[int, Request]]] = {}
    for index, request in enumerate(requests):
        lanes.setdefault(request.decoder.kind, []).append((index, request))
    for lane in lanes.values():
        decoder = lane[0][1].decoder
        if decoder.engine is not None:
            yield from decoder.engine(backbone, lane)
        else:
            yield from Lane(backbone, decoder, lane, batch_size).run()


@dataclass
class Host:
    """What the host knows of the coming forward of each row."""

    done: list[int]
    bad: list[int]
    start: list[int]
    stop: list[int]
    scored: list[int]


class Lane:
    """Requests that share their policies, decoded in one batch with refill."""

    def __init__(self, backbone: Any, decoder: Decoder, lane: Sequence[tuple[int, Request]], batch_size: int) -> None:
        special = backbone.special
        mask = decoder.mask if decoder.mask is not None else special.mask
        width = max(len(request.prompt_ids) + request.gen_length for _, request in lane)
        self.eos = frozenset(decoder.eos or special.eos)
        eos = torch.tensor(decoder.eos or special.eos, device=backbone.device)
        fill = special.pad if mask is None else mask
        blocks = max(_blocks(request) for _, request in lane)
        self.shape = Shape(width, fill, eos, backbone.shift, backbone.device, blocks, backbone.vocab_size, mask)
        self.backbone, self.decoder = backbone, decoder
        self.waiting = deque(sorted(lane, key=lambda item: len(item[1].prompt_ids) + item[1].gen_length, reverse=True))
        self.batch_size = min(batch_size, len(lane))
        assert decoder.cache is not None
        slots = decoder.cache.store_slots(width)
        self.store = backbone.new_store(self.batch_size, slots) if slots else None
        self.kinds = torch.arange(len(KINDS), device=backbone.device)
        self.clock = 0.0

    @torch.inference_mode()
    def _admit(self, count: int) -> tuple[list[int], list[float], Rows, Plan, Host]:
        """Start the next `count` waiting requests and plan their first forward."""
        taken = [self.waiting.popleft() for _ in range(min(count, len(self.waiting)))]
        rows = Rows.start(self.shape, [request for _, request in taken])
        for policy in (self.decoder.blocks, self.decoder.cache, self.decoder.commit, self.decoder.score):
            assert policy is not None
            policy.start(rows)
        plan, host = self._plan(rows)
        return [index for index, _ in taken], [self.clock] * len(taken), rows, plan, host

    def _plan(self, rows: Rows) -> tuple[Plan, Host]:
        """The next forward of every row, and the step's one transfer to the host."""
        assert self.decoder.blocks is not None
        assert self.decoder.cache is not None
        plan = self.decoder.blocks.plan(rows)
        self.decoder.cache.window(rows, plan)
        facts = [rows.done.long(), rows.bad, plan.start, plan.stop, plan.scored.sum(1)]
        return plan, Host(*torch.stack(facts).tolist())

    def run(self) -> Iterator[Result]:
        """Decode everything."""
        index, began, rows, plan, host = self._admit(self.batch_size)
        while index:
            tick = time.perf_counter()
            for row, bad in enumerate(host.bad):
                if bad:  # done or not: the forward that finishes a row can be the broken one
                    raise self._failure(index[row], int(rows.forwards[row]), bad)
            ended = [row for row, done in enumerate(host.done) if done]
            if ended:
                finished = self._results(rows, ended, index, began)
                index, began, rows, plan, host = self._replace(ended, index, began, rows, plan, host)
                yield from finished
                continue
            plan, host = self._step(rows, plan, host)
            self.clock += (time.perf_counter() - tick) / len(index)

    @torch.inference_mode()
    def _replace(
        self, ended: list[int], index: list[int], began: list[float], rows: Rows, plan: Plan, host: Host
    ) -> tuple[list[int], list[float], Rows, Plan, Host]:
        """Waiting requests take the places of finished rows; places nobody wants are dropped."""
        new = self._admit(len(ended)) if self.waiting else ([], [], rows, plan, host)
        filled = ended[: len(new[0])]
        if filled:
            at = torch.tensor(filled, device=self.shape.device)
            rows.put(at, new[2])
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
                return [], [], rows, plan, host
            at = torch.tensor(keep, dtype=torch.long, device=self.shape.device)
            rows, plan = rows.take(at), plan.take(at)
            if self.store is not None:
                self.store.select(at)
            index, began = [index[row] for row in keep], [began[row] for row in keep]
            host = Host(**{name: [values[row] for row in keep] for name, values in vars(host).items()})
        return index, began, rows, plan, host

    @torch.inference_mode()
    def _step(self, rows: Rows, plan: Plan, host: Host) -> tuple[Plan, Host]:
        """One forward of every row, its commits, and the next plan."""
        decoder = self.decoder
        assert decoder.cache is not None
        assert decoder.commit is not None
        assert decoder.stop is not None
        assert decoder.blocks is not None
        tokens = torch.full_like(rows.ids, self.shape.mask)
        cost = torch.full(rows.ids.shape, torch.inf, dtype=torch.float64, device=self.shape.device)
        for group in _groups(host):
            run_window(self.backbone, decoder, self.store, rows, plan, host, group, tokens, cost)
        rows.forwards += 1
        rows.kinds += plan.kind[:, None] == self.kinds
        rows.positions += plan.stop - plan.start
        decoder.cache.after(rows, plan)
        rows.bad.masked_fill_(cost.isnan().any(1), NAN)
        chosen = decoder.commit.select(rows, plan, cost)
        rows.fill(chosen, tokens)
        decoder.stop.apply(rows)
        decoder.blocks.advance(rows, chosen)
        return self._plan(rows)

    @torch.inference_mode()
    def _results(self, rows: Rows, ended: list[int], index: list[int], began: list[float]) -> list[Result]:
        """The results of the rows `ended`, read from the device together."""
        at = torch.tensor(ended, device=self.shape.device)
        stop = torch.minimum(rows.own["grown"], rows.total) if "grown" in rows.own else rows.total
        numbers = torch.stack([rows.prompt, stop, rows.forwards + rows.phantom, rows.positions, rows.revisions], 1)
        read = (values[at].tolist() for values in (numbers, rows.kinds, rows.ids, rows.reveal))
        found = []
        for row, (start, end, nfe, positions, revisions), kinds, ids, reveal in zip(ended, *read, strict=True):
            output = ids[start:end]
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
                    revisions=revisions,
                )
            )
        return found

    @staticmethod
    def _failure(index: int, forwards: int, bad: int) -> MethodsError:
        if bad == NAN:
            return not_a_number(index, forwards)
        return MethodsError(
            f"Request {index}: after {forwards} forwards no slot is eligible although some are open; the reference "
            "decoder never ends here (the block size does not divide the generation length)."
        )


def _blocks(request: Request) -> int:
    """Blocks of a request, rounded up."""
    size = int(request.decoder.values.get("block_size", 0)) or request.gen_length
    return -(-request.gen_length // size)


def _groups(host: Host) -> list[list[int] | None]:
    """Rows by the width of their window: all together (None), or the wide and the narrow ones apart."""
    widths = [stop - start for start, stop in zip(host.start, host.stop, strict=True)]
    low, high = min(widths), max(widths)
    if high <= UNEVEN * low:
        return [None]
    middle = (low + high) / 2
    wide = [row for row, width in enumerate(widths) if width > middle]
    return [wide, [row for row, width in enumerate(widths) if width <= middle]]
