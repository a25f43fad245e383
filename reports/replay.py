"""Samples for the decoding replay: a few documents per task that as many methods as possible have decoded.

A sample is `run_id suite method task setting doc_id prompt pieces trace text outcome correct tokens forwards nfe`:
`pieces[j]` is the text of output token j (EOS tail included), `trace[j]` the 1-based forward that committed it
(0 = never), the last one where it was revised: `edits` and `edit_pieces` then hold all that stood there.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from harness.errors import UserError
from harness.metrics import total_forwards
from reports.runs import RunData

KEYS = ("doc_id", "prompt", "pieces", "trace", "text", "outcome", "correct", "tokens", "nfe", "stop_reason")
REVISED = ("edits", "edit_pieces", "revisions", "remasks")  # only where a token was revised
MAX_CHARS = 2_000_000  # of one sample's text: a longer one would make the page unusable


def replay_samples(runs: Sequence[RunData], documents: int) -> list[dict[str, Any]]:
    """The samples of `documents` documents per (suite, task) from every given run (one per method and task).

    Runs on other data choose for themselves: document 0 of one data set is not document 0 of another.
    """
    found = []
    for data in dict.fromkeys(map(_data, runs)):
        here = [run for run in runs if _data(run) == data]
        chosen = common_documents(here, documents)
        for run in here:
            found += [_sample(run, line) for line in _lines(run, chosen) if _usable(line)]
    return found


def _data(run: RunData) -> tuple[str, str, str]:
    return *run.cell, str(run.run.get("data_fingerprint"))


def common_documents(runs: Sequence[RunData], documents: int) -> list[str]:
    """The document ids that most runs have; among equals those solved by some methods and not by others first."""
    present: Counter[str] = Counter()
    solved: Counter[str] = Counter()
    for run in runs:
        present.update(run.samples.doc_ids)
        solved.update(
            {doc: int(right > 0.5) for doc, right in zip(run.samples.doc_ids, run.samples.correct, strict=True)}
        )
    order = {doc: index for index, doc in enumerate(sorted(present, key=lambda doc: (len(doc), doc)))}

    def rank(doc: str) -> tuple[int, int, int]:
        return -present[doc], int(solved[doc] in (0, present[doc])), order[doc]

    return sorted(present, key=rank)[:documents]


def _lines(run: RunData, documents: Iterable[str]) -> Iterable[Mapping[str, Any]]:
    """The chosen lines of samples.jsonl; a line is parsed whole only if its document is wanted."""
    wanted = set(documents)
    path = run.folder.path / "samples.jsonl"
    starts = tuple(f'{{"doc_id": {json.dumps(int(doc))},'.encode() for doc in wanted if doc.lstrip("-").isdigit())
    try:
        with open(path, "rb") as file:
            lines = [line for line in file if line.startswith(starts)]
        if len(lines) == len(wanted):
            return [json.loads(line) for line in lines]
        return [line for line in run.folder.samples() if str(line["doc_id"]) in wanted]
    except (OSError, ValueError, UserError):
        return []


def _usable(line: Mapping[str, Any]) -> bool:
    pieces, trace = line.get("pieces"), line.get("trace")
    if not isinstance(pieces, list) or not isinstance(trace, list) or len(pieces) != len(trace) or not pieces:
        return False
    return sum(len(str(piece)) for piece in pieces) + len(str(line.get("prompt", ""))) <= MAX_CHARS


def _sample(run: RunData, line: Mapping[str, Any]) -> dict[str, Any]:
    forwards = line.get("forwards") or {}
    total = total_forwards(forwards) if isinstance(forwards, Mapping) else forwards
    return {
        "run_id": run.run_id,
        "suite": run.run["suite"],
        "method": run.row,
        "task": run.run["task"],
        "setting": run.setting,
        **{key: line.get(key) for key in KEYS},
        **({key: line.get(key) for key in REVISED} if line.get("edits") else {}),
        "forwards": total,
    }
