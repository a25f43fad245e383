"""Which requests meet the same canvases, and in what order they are decoded so that each canvas is computed once.

Requests of one prompt and generation length are a *document*; what a forward computes for it depends on its canvas
alone, whatever the method and the setting. All requests of some documents are decoded, kind by kind, before the next
documents begin: as many at a time as surely fit into the budget.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from methods.decoding.decoder import Decoder, Request
from methods.decoding.policies import CachePolicy, Scorer
from methods.decoding.reuse import Canvases, Document, Known, entry_bytes

Numbered = tuple[int, Request]


@dataclass(frozen=True)
class Part:
    """Requests of one kind that are decoded together. known: what they share with other requests, or None."""

    requests: list[Numbered]
    known: Known | None = None


@dataclass
class _Shared:
    """A document and the requests for it."""

    requests: list[Numbered] = field(default_factory=list)

    @property
    def length(self) -> int:
        request = self.requests[0][1]
        return len(request.prompt_ids) + request.gen_length

    def need(self) -> int:
        """Bytes that its canvases take at most: every request at one token per forward, no two canvases alike."""
        scorers = {_scorer([item]) for item in self.requests}
        slots = self.requests[0][1].gen_length
        return len(self.requests) * slots * entry_bytes(slots, len(scorers))


def reusable(decoder: Decoder) -> bool:
    """Whether all that a decoder takes from a forward is a function of the canvas.

    True without a K/V store, attending to the whole window and to nothing appended to it, with a pure scorer and
    nothing drawn at random.
    """
    if decoder.blocks.appends or not decoder.score.pure or "temperature" in decoder.values:
        return False
    cache = type(decoder.cache)
    own = (getattr(cache, name) is not getattr(CachePolicy, name) for name in ("window", "access", "store_slots"))
    return not any(own)


def parts(requests: Sequence[Numbered], budget: int, note: Callable[[str], None]) -> Iterator[Part]:
    """Everything to decode, part after part; the parts must be decoded in this order, each to its end.

    budget: bytes for canvases; 0 for no reuse. note: called once with a sentence where a document does not fit.
    """
    documents: dict[Any, _Shared] = {}
    for item in requests if budget else ():
        request, decoder = item[1], item[1].decoder
        if isinstance(decoder, Decoder) and reusable(decoder):
            key = (decoder.mask_id, request.gen_length, tuple(request.prompt_ids))
            documents.setdefault(key, _Shared()).requests.append(item)
    shared = sorted((one for one in documents.values() if len(one.requests) > 1), key=lambda one: -one.length)
    together = {index for one in shared for index, _ in one.requests}
    for same in by_kind(item for item in requests if item[0] not in together):
        yield Part(same)
    canvases = Canvases(budget, note)
    for some in _rounds(shared, budget):
        of: dict[int, Document] = {}
        for one in some:
            of |= dict.fromkeys((index for index, _ in one.requests), Document.of(one.requests))
        kinds = by_kind(item for one in some for item in one.requests)
        for place, same in enumerate(kinds):
            later = dict.fromkeys(map(_scorer, kinds[place:]))  # an earlier kind's scorer will not be asked again
            yield Part(same, Known(canvases, of, tuple(later)) if canvases.on else None)


def _scorer(requests: Sequence[Numbered]) -> Scorer:
    """What the first request, and any of its kind, is ranked by."""
    decoder = requests[0][1].decoder
    assert isinstance(decoder, Decoder)
    return decoder.score


def by_kind(requests: Iterable[Numbered]) -> list[list[Numbered]]:
    """Requests that may share a batch, in lists, in the order in which their kinds come."""
    alike: dict[Any, list[Numbered]] = {}
    for item in requests:
        alike.setdefault(item[1].decoder.kind, []).append(item)
    return list(alike.values())


def _rounds(shared: Sequence[_Shared], budget: int) -> Iterator[list[_Shared]]:
    """Documents that are decoded together. Where all requests are of one kind, none has to wait for the next kind."""
    if len({request.decoder.kind for one in shared for _, request in one.requests}) == 1:
        yield list(shared)
        return
    taken: list[_Shared] = []
    size = 0
    for one in shared:
        if taken and size + one.need() > budget:
            yield taken
            taken, size = [], 0
        taken.append(one)
        size += one.need()
    if taken:
        yield taken
