"""In which order a run committed its tokens: Average Finalization Parallelism and Kendall's tau, from stored traces.

Of one sample, with c_i the forward pass that committed kept token i (of n, up to the first end-of-text token or stop
string; never-committed slots left out):

    AFP = n / |{c_1, ..., c_n}|                                  1: one token at a time, n: all at once
    tau = (concordant - discordant) / sqrt(n_0 * (n_0 - n_tied)) 1: left to right, 0: no order, -1: right to left

n_0 = n (n - 1) / 2 pairs of tokens; a pair is concordant when the left one was committed in an earlier pass, tied when
both were in the same one. A run's value is the mean over its samples (tau: over those with two passes or more).

Source of AFP and of taking Kendall's tau against left-to-right order: Zhong et al. 2026, arXiv 2601.15593. How that
paper treats tied pairs and the end-of-text tail is not stated in what we could read, so the tau-b form (Kendall 1945)
and the kept tokens are our choice. AFP is not TPF: it leaves out passes that committed no kept token, and it is a mean
of ratios.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from reports.model import Point
from reports.runs import RunData

_TRACE = b'"trace": ['


def afp(steps: Sequence[int]) -> float | None:
    """Average Finalization Parallelism of one sample; steps: the 1-based forward pass per kept token, 0 = never.

    >>> afp([1, 1, 2, 2, 3, 3])
    2.0
    """
    committed = [step for step in steps if step > 0]
    return len(committed) / len(set(committed)) if committed else None


def kendall_tau(steps: Sequence[int]) -> float | None:
    """Kendall's tau-b of commit order against left-to-right order; None with fewer than two passes.

    >>> kendall_tau([1, 2, 3]), kendall_tau([3, 2, 1]), kendall_tau([1, 1])
    (1.0, -1.0, None)
    """
    order = np.array([step for step in steps if step > 0], dtype=np.int32)
    if len(order) < 2:
        return None
    earlier = order[:, None] < order[None, :]
    upper = _upper(len(order))
    concordant, discordant = int(np.sum(earlier & upper)), int(np.sum(earlier.T & upper))
    pairs = len(order) * (len(order) - 1) // 2
    untied = concordant + discordant
    return float((concordant - discordant) / np.sqrt(float(pairs) * untied)) if untied else None


@cache
def _upper(n: int) -> NDArray[np.bool_]:
    return np.triu(np.ones((n, n), dtype=bool), 1)


def with_order(
    points: Sequence[Point], runs: Sequence[RunData], documents: Mapping[str, Collection[str]]
) -> list[Point]:
    """Points with afp and kendall_tau, the mean over their runs. documents: run_id -> those that count, else all."""
    by_id = {run.run_id: run for run in runs}
    found = []
    for point in points:
        own = [by_id[name] for name in point.run_id.split("+") if name in by_id]
        values = [order_of(run, documents.get(run.run_id)) for run in own]
        parallel = [value for value, _ in values if value is not None]
        taus = [tau for _, tau in values if tau is not None]
        found.append(
            replace(point, afp=fmean(parallel) if parallel else None, kendall_tau=fmean(taus) if taus else None)
        )
    return found


def order_of(run: RunData, documents: Collection[str] | None = None) -> tuple[float | None, float | None]:
    """(AFP, tau) of a run, each the mean over its samples; None without a trace."""
    kept = dict(zip(run.samples.doc_ids, run.samples.tokens, strict=True))
    wanted = set(kept) if documents is None else set(documents)
    parallel, taus = [], []
    for doc, trace in _traces(run):
        if doc in wanted and doc in kept:
            steps = trace[: int(kept[doc])]
            parallel.append(afp(steps))
            taus.append(kendall_tau(steps))
    means = []
    for values in (parallel, taus):
        numbers = [value for value in values if value is not None]
        means.append(fmean(numbers) if numbers else None)
    return means[0], means[1]


def _traces(run: RunData) -> Iterator[tuple[str, list[int]]]:
    """(document, trace) of every line; only the trace is parsed, the texts before it are not."""
    try:
        with open(run.folder.path / "samples.jsonl", "rb") as file:
            for line in file:
                head, start = line[:40].split(b",", 1)[0], line.rfind(_TRACE)
                end = line.find(b"]", start)
                if start >= 0 and end >= 0 and head.startswith(b'{"doc_id": '):
                    yield (
                        head.removeprefix(b'{"doc_id": ').decode(),
                        json.loads(line[start + len(_TRACE) - 1 : end + 1]),
                    )
    except (OSError, ValueError):
        return
