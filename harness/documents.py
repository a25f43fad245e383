"""Which documents of a task a run is about: the first N, a share of them as lm-eval has it, or chosen ones."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from harness.errors import UsageError

_RANGE = re.compile(r"(\d+)(?:-(\d+))?")


def limit(text: str | float) -> int | float:
    """The value of `--limit`: N documents, or below 1 a share of all. Raises UsageError for anything else."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if 0 < value < 1:
        return value
    if not math.isfinite(value) or value < 1 or value != int(value):
        raise UsageError(f"--limit {text} is not allowed: it is a number of documents such as 50, or a share below 1.")
    return int(value)


def samples(text: str) -> list[int]:
    """The ids that `--samples 3,17-20` names, each once, in order. Raises UsageError for what is no list of ids."""
    found: set[int] = set()
    for part in text.replace(" ", "").split(","):
        match = _RANGE.fullmatch(part)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, -1)
        if last < first:
            raise UsageError(f"--samples {text} is not a list of document ids such as 3,17-20.")
        found |= set(range(first, last + 1))
    return sorted(found)


def chosen(n_docs: int, limit: float | None, samples_text: str | None) -> Sequence[int]:
    """The ids of the documents to decode of a task that has `n_docs`. Raises UsageError for an id it does not have."""
    if samples_text is not None:
        ids = samples(samples_text)
        if ids[-1] >= n_docs:
            raise UsageError(f"--samples: there is no document {ids[-1]}; the task has 0 to {n_docs - 1}.")
        return ids
    if limit is not None and limit < 1:
        return range(math.ceil(n_docs * limit))  # as lm-eval rounds
    return range(n_docs if limit is None else min(int(limit), n_docs))
