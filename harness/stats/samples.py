"""The three numbers of a sample that statistics need, and how runs are lined up on their documents."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.forwards import total_forwards

Array = NDArray[np.float64]


def unscored(sample: Mapping[str, Any]) -> bool:
    """Whether the scorer raised on a stored sample: it is not a wrong answer, it has no score."""
    return bool(sample.get("outcome") == "error" and not sample.get("truncated"))


@dataclass(frozen=True)
class Samples:
    """One run's samples as arrays of length n, in any order.

    doc_ids: document ids (text). correct: 0 or 1. tokens: ids kept. forwards: target-model forwards, drafts left out.
    unscored: samples left out because their scorer raised.
    """

    doc_ids: tuple[str, ...]
    correct: Array
    tokens: Array
    forwards: Array
    unscored: int = 0

    @classmethod
    def from_rows(cls, rows: Iterable[Mapping[str, Any]]) -> Samples:
        """From lines of `samples.jsonl` (a later line of the same document replaces an earlier one).

        A document whose scorer raised has no score and is left out; `unscored` counts these. Raises KeyError if a line
        lacks `doc_id`, `correct`, `tokens` or `forwards`.
        """
        by_doc = {str(row["doc_id"]): row for row in rows}
        scored = {doc: row for doc, row in by_doc.items() if not unscored(row)}
        return cls(
            doc_ids=tuple(scored),
            correct=np.array([float(row["correct"]) for row in scored.values()]),
            tokens=np.array([float(row["tokens"]) for row in scored.values()]),
            forwards=np.array([_target_forwards(row["forwards"]) for row in scored.values()]),
            unscored=len(by_doc) - len(scored),
        )

    @classmethod
    def of_run(cls, rows: Iterable[Mapping[str, Any]], summary: Mapping[str, Any] | None) -> Samples:
        """The samples that a run's numbers are over: the first `n_samples` documents, all of them without a summary.

        Raises KeyError for a line or a summary that lacks a key, TypeError for an `n_samples` that is no number.
        """
        # documents beyond these are what a killed larger run left, short answers first: they would bias every number
        below = math.inf if summary is None else summary["n_samples"]
        return cls.from_rows(row for row in rows if row["doc_id"] < below)

    def __len__(self) -> int:
        return len(self.doc_ids)

    @property
    def accuracy(self) -> float:
        """Percent correct; 0 without samples."""
        return 100.0 * float(self.correct.mean()) if len(self) else 0.0

    @property
    def tpf(self) -> float:
        """Ratio of sums, tokens per forward; 0 without forwards."""
        total = float(self.forwards.sum())
        return float(self.tokens.sum()) / total if total else 0.0

    def on(self, doc_ids: Sequence[str]) -> Samples:
        """The same samples restricted to `doc_ids`, in that order. Raises KeyError for a document that is not here."""
        index = {doc: i for i, doc in enumerate(self.doc_ids)}
        order = np.array([index[doc] for doc in doc_ids], dtype=int)
        return Samples(tuple(doc_ids), self.correct[order], self.tokens[order], self.forwards[order])


def _target_forwards(forwards: Mapping[str, float] | float) -> float:
    if isinstance(forwards, Mapping):
        return float(total_forwards(forwards))
    return float(forwards)


def aligned(runs: Sequence[Samples]) -> list[Samples]:
    """All runs on the documents that every one of them has, in the first run's order."""
    shared = set(runs[0].doc_ids).intersection(*(run.doc_ids for run in runs[1:]))
    order = [doc for doc in runs[0].doc_ids if doc in shared]
    return [run.on(order) for run in runs]
