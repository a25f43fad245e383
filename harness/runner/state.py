"""A run while it is worked on, and how it ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from harness.errors import describe_error
from harness.metrics import total_forwards
from harness.runner.job import Job
from harness.runner.prompts import Prompt
from harness.runner.rank_files import Parts
from harness.runner.spec import RunSpec
from harness.stats import unscored
from harness.store import BusyError, RunFolder


@dataclass(frozen=True)
class Event:
    """Something happened in a run. done, total: its samples; accuracy (percent), tpf: so far; note: for people."""

    spec: RunSpec
    run_id: str
    done: int
    total: int
    accuracy: float | None = None
    tpf: float | None = None
    note: str = ""


@dataclass(frozen=True)
class Outcome:
    """How a spec ended. state: `done` (decoded or scored now), `stored` (nothing was missing) or `failed`.

    summary: over the documents the spec asks for. new: samples decoded now. errors: samples whose scorer raised; they
    have no score, the accuracy leaves them out, and the next run scores them.
    error: why it failed, one sentence or a traceback; `cause` is the exception itself. busy: the folder of a run that
    failed only because another process is writing it. In a group of processes only
    the first one has summaries.
    """

    spec: RunSpec
    state: str
    folder: RunFolder | None = None
    summary: dict[str, Any] | None = None
    new: int = 0
    error: str = ""
    cause: Exception | None = None
    busy: str | None = None

    @property
    def run_id(self) -> str | None:
        return self.folder.run_id if self.folder else None

    @property
    def errors(self) -> int:
        return self.summary["errors"] if self.summary else 0


Progress = Callable[[Event], None]


@dataclass
class RunState:
    """A run that is being written: its job, what this process decodes, and the running totals for the progress bar.

    before: the summary that was stored when the run was opened.
    parts: the other ranks' shares, seen by the first; None on a rank that writes such a part (`job.folder`) itself.
    """

    job: Job
    total: int
    missing: list[Prompt] = field(default_factory=list)
    done: int = 0
    new: int = 0
    scored: int = 0
    correct: int = 0
    tokens: int = 0
    forwards: int = 0
    failed: Exception | None = None
    outcome: Outcome | None = None
    before: dict[str, Any] | None = None
    progress: Progress | None = field(default=None, repr=False)
    parts: Parts | None = field(default=None, repr=False)

    def store(self, line: dict[str, Any]) -> None:
        """Append a finished sample to the run's file, count it and report it."""
        self.job.folder.append(line)
        self.new += 1
        self.add(line)
        self.report()

    def collect_parts(self) -> None:
        """Store what the other ranks have finished."""
        for line in self.parts.new() if self.parts is not None else ():
            self.store(line)

    def record(self, **more: Any) -> None:
        """Write `more` into the session, and who the other ranks are and what happened to them."""
        ranks = self.parts.ranks() if self.parts is not None else []
        more |= {"ranks": ranks} if ranks else {}
        if more:
            sessions = self.job.folder.run()["sessions"]
            sessions[-1] |= more
            self.job.folder.update(sessions=sessions)

    def add(self, sample: dict[str, Any]) -> None:
        """Count a stored sample."""
        self.done += 1
        self.scored += not unscored(sample)
        self.correct += sample["correct"]
        self.tokens += sample["tokens"]
        self.forwards += total_forwards(sample["forwards"])

    def report(self, note: str = "") -> None:
        """Report the state of the run."""
        if self.progress is not None:
            accuracy = 100.0 * self.correct / self.scored if self.scored else None
            tpf = self.tokens / self.forwards if self.forwards else None
            self.progress(Event(self.job.spec, self.job.run["run_id"], self.done, self.total, accuracy, tpf, note))


def failed(spec: RunSpec, error: Exception, folder: RunFolder | None = None) -> Outcome:
    """The outcome of a run that `error` ended."""
    busy = str(error.path) if isinstance(error, BusyError) else None
    return Outcome(spec, "failed", folder, error=describe_error(error), cause=error, busy=busy)
