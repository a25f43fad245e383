"""A task's own answers through the whole path: stop strings, extraction, scoring, sandbox. All of them must score."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tasks.catalogue import dataset_of
from tasks.loading import Loaded
from tasks.scoring import Score, score
from tasks.stops import first_stop


def answer_of(doc: dict[str, Any], task: str) -> str:
    """The text that a perfect model would write for a document."""
    return dataset_of(task).answer(doc)


def name_of(doc: dict[str, Any], index: int) -> str:
    """A document's own id, or its place."""
    return str(doc.get("task_id", index))


def rows(
    loaded: Loaded,
    *,
    limit: int | None = None,
    workers: int | None = None,
    answer: Callable[[dict[str, Any]], str] | None = None,
) -> list[tuple[str, Score]]:
    """(id, score) of every document's gold answer, or of `answer(doc)`, on all cores."""
    task, until = loaded.protocol.task, loaded.protocol.until

    def one(doc: dict[str, Any]) -> Score:
        text = answer(doc) if answer else answer_of(doc, task)
        return score(loaded, doc, text[: first_stop(text, until)])

    docs = loaded.docs[:limit]
    with ThreadPoolExecutor(workers or os.cpu_count() or 1) as pool:
        scores = list(pool.map(one, docs))
    return [(name_of(doc, index), value) for index, (doc, value) in enumerate(zip(docs, scores, strict=True))]


def gold(loaded: Loaded, *, limit: int | None = None, unconfined: bool = False) -> dict[str, Any]:
    """Score a task's gold answers. Keys: task, protocol, n, correct, accuracy (percent), strict, failures.

    failures: `doc_id` (its place), `id`, `outcome`, `extracted` and `detail` of every answer that did not score.
    unconfined: run code with resource limits alone where nothing better works.
    """
    if unconfined:
        from tasks.sandbox import confine

        os.environ[confine.ALLOW] = "1"
    scored = rows(loaded, limit=limit)
    failures = [
        {"doc_id": index, "id": name, "outcome": value.outcome, "extracted": value.extracted, "detail": value.detail}
        for index, (name, value) in enumerate(scored)
        if not value.correct
    ]
    right = len(scored) - len(failures)
    return {
        "task": loaded.protocol.task,
        "protocol": loaded.protocol.id,
        "n": len(scored),
        "correct": right,
        "accuracy": round(100 * right / len(scored), 4),
        "strict": sum(value.strict for _, value in scored),
        "failures": failures,
    }
