"""What a sweep shows while it works: one overall bar with time left, one bar per running run with its numbers so far.

Everything goes to stderr. Without a terminal there are no bars, and each finished run is one line.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from harness.sweep.grid import run_text
from harness.sweep.report import reason
from harness.terminal import plain

if TYPE_CHECKING:
    from harness.runner.execute import Event, Outcome


class Board:
    """The bars of a sweep of `runs` runs. Feed it the runner's events and each run's outcome."""

    def __init__(self, runs: int, console: Console | None = None) -> None:
        self.console = console or Console(stderr=True)
        self.runs, self.ended = runs, 0
        self.waits = False  # a busy run has not ended: the sweep comes back to it
        self._live: dict[str, tuple[TaskID, float]] = {}
        self._share: dict[str, float] = {}
        self._bars = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f}%"),
            TimeRemainingColumn(compact=True),
            TextColumn("{task.fields[numbers]}", markup=False),
            console=self.console,
            disable=not self.console.is_terminal,
            speed_estimate_period=900,
        )
        self._overall = self._bars.add_task("all runs", total=runs, numbers=f"0/{runs} runs")

    def __enter__(self) -> Board:
        self._bars.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._bars.stop()

    def more(self, runs: int) -> None:
        """The plan grew by `runs` runs (a refinement)."""
        self.runs += runs
        self._bars.update(self._overall, total=self.runs)

    def event(self, event: Event) -> None:
        """A run began or has one more sample."""
        name = run_text(event.spec)
        if name not in self._live:
            self._live[name] = (self._bars.add_task(f"  {name}", total=event.total, numbers=""), time.monotonic())
        self._bars.update(self._live[name][0], completed=event.done, numbers=_numbers(event))
        self._share[name] = event.done / max(event.total, 1)
        self._overall_bar()
        if event.note:
            self.note(f"{name}: {event.note}")

    def ends(self, outcome: Outcome) -> None:
        """A run is done or failed: one line says how, and its bar goes."""
        name = run_text(outcome.spec)
        self._share.pop(name, None)
        bar, started = self._live.pop(name, (None, None))
        if bar is not None:
            self._bars.remove_task(bar)
        if self.waits and outcome.busy:
            self.note(f"{name}: another process is writing it; it is looked at again when the others are done")
            return
        self.ended += 1
        self._overall_bar()
        self.note(f"[{self.ended}/{self.runs}] {name}: {_ending(outcome, started)}")

    def note(self, text: str) -> None:
        """A line above the bars: a model being loaded, a lost worker."""
        self.console.print(plain(text), markup=False, highlight=False, soft_wrap=True)

    def _overall_bar(self) -> None:
        # a run counts by the share of its documents, so the time left moves with every sample
        done = self.ended + sum(self._share.values())
        self._bars.update(self._overall, completed=done, numbers=f"{self.ended}/{self.runs} runs")


def _numbers(event: Event) -> str:
    words = [f"{event.done}/{event.total}"]
    if event.accuracy is not None:
        words.append(f"accuracy {event.accuracy:.1f}")
    if event.tpf is not None:
        words.append(f"TPF {event.tpf:.2f}")
    return "  ".join(words)


def _ending(outcome: Outcome, started: float | None) -> str:
    if outcome.state == "failed":
        return f"FAILED, {reason(outcome)}"
    summary: dict[str, Any] = outcome.summary or {}
    accuracy = "-" if summary["accuracy"] is None else f"{summary['accuracy']:.1f}"
    numbers = f"accuracy {accuracy}, TPF {summary['tpf'] or 0:.2f}, n {summary['n_samples']}"
    errors = f", {outcome.errors} samples not scored" if outcome.errors else ""
    if outcome.state == "stored" or started is None:
        return f"{numbers}, already there{errors}"
    return f"{numbers}, {time.monotonic() - started:.0f} s{errors}"
