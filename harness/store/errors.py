"""What can be wrong with a run folder: one sentence naming the file and the way out."""

from __future__ import annotations

from pathlib import Path

from harness.errors import UserError


class StoreError(UserError):
    """A run folder cannot be read or written (exit code 1)."""


class NamesError(StoreError):
    """A name in a run.json could lead out of the store, or cannot be printed."""


class SummaryError(StoreError):
    """A summary.json is damaged; the samples it is made of may be whole."""


class BusyError(StoreError):
    """Another process is writing the run in `path`."""

    def __init__(self, message: str, path: Path) -> None:
        super().__init__(message)
        self.path = path
