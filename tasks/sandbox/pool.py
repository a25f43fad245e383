"""Many checks at once: a worker per core, each waiting for its own confined processes."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from tasks.sandbox.run import check
from tasks.sandbox.verdict import Verdict


@dataclass(frozen=True)
class Job:
    """The arguments of one `check`."""

    candidate: str
    test: str
    entry_point: str | None = None
    timeout: float = 10.0
    memory_mb: int = 1024


def check_many(jobs: Iterable[Job], *, workers: int | None = None, allow_unconfined: bool = False) -> Iterator[Verdict]:
    """The verdicts of jobs, in their order, computed on all cores (or `workers`).

    The work is done in processes of their own; the threads here only wait, so a model's process is not held up.
    """

    def one(job: Job) -> Verdict:
        limits = {"timeout": job.timeout, "memory_mb": job.memory_mb}
        return check(job.candidate, job.test, job.entry_point, allow_unconfined=allow_unconfined, **limits)  # type: ignore[arg-type]

    with ThreadPoolExecutor(workers or os.cpu_count() or 1) as pool:
        yield from pool.map(one, jobs)
