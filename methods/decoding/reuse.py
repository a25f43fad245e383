"""Canvases that were computed already: their scores are remembered, and taken instead of another forward.

Without a K/V store a forward is a function of the canvas: the same weights on the same ids give the same scores,
whichever method or setting asks. A faster setting mostly meets a slower one's canvases. Nothing but the scores of open
slots is remembered (token and cost of every scorer that will be asked for), so commit rules, blocks and counts work
as if the forward had run.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise

import numpy as np
import torch
from torch import Tensor

from methods.decoding.decoder import Request
from methods.decoding.policies import Scorer
from methods.decoding.state import Plan, State

RECORD = np.dtype([("token", "<i4"), ("cost", "<f8")])
OVERHEAD = 300  # bytes of Python's own for a canvas and its key, measured; the records' come on top
RECORD_OVERHEAD = 33
OPEN, SCORED = -1, -2  # codes of an open slot, and (minus its id) of one that is scored although it holds a token


def entry_bytes(slots: int, scorers: int) -> int:
    """What a canvas with `slots` open slots takes."""
    return OVERHEAD + 4 * slots + scorers * (RECORD_OVERHEAD + RECORD.itemsize * slots)


@dataclass(eq=False)
class Document:
    """One prompt and generation length. left: requests that are not finished. found: by canvas, each scorer's records.

    prompt, total: where the generation begins and ends. size: bytes of `found`.
    """

    prompt: int
    total: int
    left: int
    size: int = 0
    found: dict[bytes, dict[Scorer, bytes]] = field(default_factory=dict)

    @classmethod
    def of(cls, requests: Sequence[tuple[int, Request]]) -> Document:
        """The document of `requests`, which all ask for it."""
        prompt = len(requests[0][1].prompt_ids)
        return cls(prompt, prompt + requests[0][1].gen_length, len(requests))


class Canvases:
    """The memory of all documents, at most `budget` bytes: the least recently used documents make room.

    A document that alone is larger ends the reuse, and `note` is called with a sentence.
    """

    def __init__(self, budget: int, note: Callable[[str], None]) -> None:
        self.budget, self.note = budget, note
        self.size, self.on = 0, True
        self._used: OrderedDict[Document, None] = OrderedDict()

    def find(self, document: Document, canvas: bytes, scorer: Scorer) -> bytes | None:
        """The records of a canvas, or None."""
        known = document.found.get(canvas)
        return None if known is None else known.get(scorer)

    def keep(self, document: Document, canvas: bytes, scorer: Scorer, record: bytes) -> None:
        """Remember the records of a canvas."""
        if not self.on or not document.left:
            return
        known = document.found.get(canvas)
        size = RECORD_OVERHEAD + len(record)
        if known is None:
            known = document.found[canvas] = {}
            size += OVERHEAD + len(canvas)
        known[scorer] = record
        document.size += size
        self.size += size
        self._used[document] = None
        self._used.move_to_end(document)
        while self.size > self.budget and len(self._used) > 1:
            self.drop(next(iter(self._used)))
        if self.size > self.budget:
            self.drop(document)
            self.on = False
            self.note(
                f"The canvases of one document need more than their {self.budget / 2**20:.3g} MB, so none is "
                "reused; a larger --reuse-mb saves forward passes."
            )

    def drop(self, document: Document) -> None:
        """Forget a document's canvases."""
        self._used.pop(document, None)
        self.size -= document.size
        document.found, document.size = {}, 0

    def finish(self, document: Document) -> None:
        """One request fewer will ask for a document; after the last its canvases go."""
        document.left -= 1
        if not document.left:
            self.drop(document)


class Known:
    """What the rows of one batch find in `canvases`. scorers: the batch's own, then those that will be asked for later.

    documents: by index of the request. Calls for a step come in the order `recall`, `note` for each forward, `share`.
    """

    def __init__(self, canvases: Canvases, documents: Mapping[int, Document], scorers: tuple[Scorer, ...]) -> None:
        self.canvases, self.documents, self.scorers = canvases, documents, scorers
        self.forwards: Counter[int] = Counter()
        self.positions: Counter[int] = Counter()
        self._asked: dict[int, tuple[Document, bytes]] = {}
        self._twins: list[tuple[int, int]] = []
        self._computed: list[tuple[Sequence[int], list[int], list[tuple[Scorer, Tensor, Tensor]]]] = []

    def code(self, state: State, plan: Plan) -> Tensor:
        """[B, C + 1]: everything that the scores of a row depend on, and in the last column whether it is exempt.

        An open slot has the code OPEN, a scored one that holds a token SCORED minus its id, any other one its id.
        Exempt is a row whose window is not its whole canvas, or that scores its prompt.
        """
        code = torch.where(state.open, OPEN, torch.where(plan.scored, SCORED - state.ids, state.ids))
        exempt = (plan.start != 0) | (plan.stop != state.total) | (plan.scored & ~state.gen).any(1)
        return torch.cat([code, exempt[:, None]], 1)

    def recall(self, index: Sequence[int], codes: Sequence[np.ndarray], tokens: Tensor, cost: Tensor) -> list[int]:
        """The rows that need a forward; the scores of those whose canvas is known go into `tokens`, `cost` [B, C].

        index: the request of each row. codes: its row of `code`. Rows with one canvas get one forward, see `share`.
        """
        self._keep()
        rows: list[int] = []
        hits: list[tuple[int, np.ndarray, bytes]] = []
        leader: dict[tuple[Document, bytes], int] = {}
        for row, request in enumerate(index):
            document = self.documents[request]
            canvas = codes[row][document.prompt : document.total]
            key = (document, canvas.tobytes())
            record = self.canvases.find(*key, self.scorers[0])
            if not self.canvases.on or codes[row][-1]:
                rows.append(row)
            elif record is not None:
                hits.append((row, document.prompt + np.flatnonzero(canvas < 0), record))
            elif key in leader:
                self._twins.append((row, leader[key]))
            else:
                leader[key] = row
                self._asked[row] = key
                rows.append(row)
        _write(hits, tokens, cost)
        return rows

    def ran(self, requests: Sequence[int], positions: Sequence[int]) -> None:
        """Count the forwards that really run: one for each of `requests`, of so many positions."""
        self.forwards.update(requests)
        self.positions.update(dict(zip(requests, positions, strict=True)))

    def note(self, rows: Sequence[int], counts: list[int], scores: list[tuple[Scorer, Tensor, Tensor]]) -> None:
        """What a forward gave: by scorer, (token, cost) [N] of the scored slots of `rows`, `counts` in each, in turn.

        They are read from the device with the next step's plan, so that nothing waits for them.
        """
        if self.canvases.on:
            self._computed.append((rows, counts, scores))

    def share(self, plan: Plan, tokens: Tensor, cost: Tensor) -> tuple[Tensor, Tensor]:
        """(tokens, cost) with what rows of one canvas share, and nothing but what the plan asked to be scored."""
        if self._twins:
            to, of = torch.tensor(self._twins, device=tokens.device).unbind(1)
            tokens[to], cost[to] = tokens[of], cost[of]
            self._twins = []
        return tokens, cost.masked_fill(~plan.scored, torch.inf)

    def finish(self, request: int) -> tuple[int, int]:
        """(forwards, positions) that really ran for a request that is finished."""
        self._keep()  # the batch's last step has no next one
        self.canvases.finish(self.documents[request])
        return self.forwards.pop(request, 0), self.positions.pop(request, 0)

    def _keep(self) -> None:
        """Remember what the last step computed."""
        for rows, counts, scores in self._computed:
            spans = list(pairwise(accumulate(counts, initial=0)))
            for scorer, token, cost in scores:
                record = np.empty(len(token), RECORD)
                record["token"], record["cost"] = token.cpu().numpy(), cost.cpu().numpy()
                for row, (start, stop) in zip(rows, spans, strict=True):
                    if row in self._asked:
                        self.canvases.keep(*self._asked[row], scorer, record[start:stop].tobytes())
        self._computed, self._asked = [], {}


def _write(hits: Sequence[tuple[int, np.ndarray, bytes]], tokens: Tensor, cost: Tensor) -> None:
    """Put the records of (row, positions, records) into `tokens`, `cost`."""
    if not hits:
        return
    row = np.repeat([row for row, _, _ in hits], [len(at) for _, at, _ in hits])
    record = np.frombuffer(b"".join(record for _, _, record in hits), RECORD)
    place = tuple(torch.from_numpy(at).to(tokens.device) for at in (row, np.concatenate([at for _, at, _ in hits])))
    tokens[place] = torch.from_numpy(record["token"].astype(np.int64)).to(tokens.device)
    cost[place] = torch.from_numpy(record["cost"].copy()).to(cost.device)
