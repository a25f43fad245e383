"""What a plan will cost, from a short real calibration: a few documents of every curve's ends are decoded.

Nothing is stored. Forwards per document between the ends of a curve are interpolated, so the estimate is rough where a
curve is not; the seconds are those of this machine at the calibration's batch, so a full batch is usually faster.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from harness.metrics import total_forwards
from harness.runner.spec import RunSpec
from harness.sweep.grid import Group, setting_text


@dataclass(frozen=True)
class Cost:
    """One run's share: documents in all and still to do, forwards and hours for those to do."""

    spec: RunSpec
    documents: int
    remaining: int
    forwards: float
    hours: float
    state: str = "planned"

    def row(self) -> dict[str, Any]:
        """The run as a row of the plan's table."""
        return {
            "method": self.spec.method,
            "task": self.spec.task,
            "setting": setting_text(self.spec),
            "seed": self.spec.seed,
            "documents": self.documents,
            "remaining": self.remaining,
            "forwards": round(self.forwards),
            "hours": round(self.hours, 3),
            "state": self.state,
        }


def estimate(
    groups: Sequence[Group], documents: int = 4, note: Callable[[str], None] = lambda text: None
) -> list[Cost]:
    """The cost of every run of the plan, calibrated on the first `documents` of every group's first and last point.

    groups: one method each (`grid.by_method`). Forwards and seconds are those without reuse, and so an upper bound.
    Loads every checkpoint once, in the plan's order. A run that cannot be prepared, or a group that cannot be measured,
    is listed with the reason as its state and no cost, as it would fail in the sweep.
    """
    from harness.runner.models import ModelCache

    models = ModelCache(keep=1)
    costs: list[Cost] = []
    for group in groups:
        started = time.monotonic()
        costs += _group(group, models, documents)
        note(f"calibrated {group.name} in {time.monotonic() - started:.1f} s")
    return costs


def _group(group: Group, models: Any, documents: int) -> list[Cost]:
    from harness.runner.job import choose, prepare

    jobs: list[Any] = []
    costs: list[Cost] = []
    failed: list[Cost] = []
    for spec in group.specs:
        try:
            job = prepare(choose(spec), models)
            costs.append(_cost(job, (0.0, 0.0)))
            jobs.append(job)
        except Exception as error:
            failed.append(_fails(spec, error))
    if any(cost.remaining for cost in costs):
        ends = [jobs[0]] if len(jobs) == 1 else [jobs[0], jobs[-1]]
        try:
            rates = _measure(ends, documents, group.specs[0].batch_size)
        except Exception as error:  # one bad curve: the other groups are still worth an estimate, and the sweep
            return [_fails(job.spec, error) for job in jobs] + failed
        costs = [_cost(job, _between(rates, i, len(jobs))) for i, job in enumerate(jobs)]
    return costs + failed


def _fails(spec: RunSpec, error: Exception) -> Cost:
    return Cost(spec, 0, 0, 0.0, 0.0, f"would fail: {str(error) or type(error).__name__}")


def _measure(jobs: Sequence[Any], documents: int, batch_size: int) -> list[tuple[float, float]]:
    """Forwards and seconds per document of each job, all decoded in one batch."""
    from harness.runner.decoding import decode_all
    from harness.runner.prompts import prompts, request

    owners, requests = [], []
    for i, job in enumerate(jobs):
        for prompt in prompts(job, min(documents, len(job.documents))):
            if prompt.fits:
                owners.append(i)
                requests.append(request(job, prompt))
    sums = [[0.0, 0.0] for _ in jobs]
    if requests:
        for result in decode_all(jobs[0].backbone, requests, batch_size, halved=lambda before, now: None, reuse_mb=0):
            total = sums[owners[result.index]]
            total[0] += total_forwards(result.forwards)
            total[1] += result.seconds
    return [(total[0] / max(owners.count(i), 1), total[1] / max(owners.count(i), 1)) for i, total in enumerate(sums)]


def _between(rates: Sequence[tuple[float, float]], i: int, n: int) -> tuple[float, float]:
    """Point i of n, on the line between the first and the last measured one."""
    share = i / (n - 1) if n > 1 else 0.0
    (forwards_0, seconds_0), (forwards_1, seconds_1) = rates[0], rates[-1]
    return forwards_0 + share * (forwards_1 - forwards_0), seconds_0 + share * (seconds_1 - seconds_0)


def _cost(job: Any, rate: tuple[float, float]) -> Cost:
    documents = job.documents
    wanted = len(documents)
    stored = len([doc for doc in job.folder.done() if doc in documents]) if job.folder.path.exists() else 0
    remaining = wanted - stored
    state = "finished" if not remaining and job.folder.finished else "planned" if not stored else "continues"
    return Cost(job.spec, wanted, remaining, remaining * rate[0], remaining * rate[1] / 3600, state)


def total(costs: Sequence[Cost]) -> str:
    """The plan's sum in one line."""
    hours = sum(cost.hours for cost in costs)
    spent = f"{hours:.1f} h" if hours >= 1 else f"{60 * hours:.1f} min"
    remaining = sum(cost.remaining for cost in costs)
    forwards = sum(cost.forwards for cost in costs)
    return f"{len(costs)} runs, {remaining} documents to decode, about {forwards:,.0f} forwards and {spent} here."


def without_estimate(specs: Sequence[RunSpec]) -> list[dict[str, Any]]:
    """The plan's rows when nothing was calibrated."""
    return [
        {"method": s.method, "task": s.task, "setting": setting_text(s), "seed": s.seed, "limit": s.limit}
        for s in specs
    ]
