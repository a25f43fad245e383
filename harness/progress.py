"""Progress on stderr: a bar per run with time left, accuracy and TPF so far; plain lines without a terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any

from harness.terminal import plain

if TYPE_CHECKING:
    from harness.runner import Event

QUIET = 30.0  # seconds between two lines of a run in a log file


class Bars:
    """Give it to `execute(progress=...)`; a context manager that owns the part of the screen it draws on."""

    def __init__(self, runs: int) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
        from rich.progress import TimeRemainingColumn as Left

        self._console = Console(stderr=True)
        columns: list[Any] = [TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()]
        columns += [TextColumn("{task.fields[state]}"), TimeElapsedColumn(), TextColumn("left"), Left()]
        self._bars = Progress(*columns, console=self._console, transient=True) if self._console.is_terminal else None
        self._ids: dict[str, Any] = {}
        self._reported: dict[str, float] = {}
        self._waiting: Any = None
        self.runs = runs

    def __call__(self, event: Event) -> None:
        if event.note:
            note = plain(f"{event.spec.method} {event.spec.task}: {event.note}")
            self._console.print(note, highlight=False, markup=False)
        state = "" if event.accuracy is None else f"{event.accuracy:.1f} %"
        state += "" if event.tpf is None else f"  TPF {event.tpf:.2f}"
        name = f"{event.spec.method} {event.spec.task}"
        if self._bars is None:
            self._line(event, name, state)
            return
        if self._waiting is not None:
            self._bars.remove_task(self._waiting)
            self._waiting = None
        if event.run_id not in self._ids:
            self._ids[event.run_id] = self._bars.add_task(name, total=event.total, completed=event.done, state=state)
        self._bars.update(self._ids[event.run_id], completed=event.done, state=state)

    def say(self, text: str) -> None:
        """A first sign of life, before anything can be counted: a spinner, or a line in a log file."""
        if self._bars is None:
            print(text, file=sys.stderr, flush=True)
        else:
            self._waiting = self._bars.add_task(text, total=None, state="")

    def _line(self, event: Event, name: str, state: str) -> None:
        now = time.monotonic()
        last = self._reported.setdefault(event.run_id, now)
        if event.done == event.total or now - last > QUIET:
            self._reported[event.run_id] = now
            print(f"{name}: {event.done}/{event.total}  {state}", file=sys.stderr, flush=True)

    def __enter__(self) -> Bars:
        if self._bars is not None:
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bars is not None:
            self._bars.stop()


@contextmanager
def training_bar(steps: int, shown: bool) -> Iterator[Callable[[int, float, float], None]]:
    """A progress bar on stderr with the loss and the speed; resumes where the training does."""
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), disable=not shown) as bar:
        task = bar.add_task("pretrain", total=steps)

        def on_step(step: int, loss: float, speed: float) -> None:
            bar.update(task, completed=step + 1, description=f"loss {loss:.3f}, {speed:,.0f} tokens/s")

        yield on_step
