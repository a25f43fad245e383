"""Errors with a sentence for the user and an exit code; `harness.cli` prints the sentence, never a traceback."""

from __future__ import annotations

import difflib
import traceback
from collections.abc import Iterable
from pathlib import Path

CLOSE = 0.66  # how alike, from 0 to 1, a known name has to be to be suggested


class UserError(Exception):
    """Something failed, and the user can fix it (exit code 1)."""

    exit_code = 1


class UsageError(UserError):
    """The command line asked for something that does not exist or is out of range (exit code 2)."""

    exit_code = 2


class StoreError(UserError):
    """A run folder cannot be read or written (exit code 1); the sentence names the file."""


class NamesError(StoreError):
    """A name in a run.json could lead out of the store, or cannot be printed."""


class SummaryError(StoreError):
    """A summary.json is damaged; the samples it is made of may be whole."""


class BusyError(StoreError):
    """Another process is writing the run in `path`."""

    def __init__(self, message: str, path: Path) -> None:
        super().__init__(message)
        self.path = path


def describe_error(error: BaseException) -> str:
    """An error as shown to the user: its sentence if it has an exit code, else a traceback."""
    if isinstance(getattr(error, "exit_code", None), int):
        return str(error)
    return "".join(traceback.format_exception(error))


def unknown(kind: str, name: str, known: Iterable[str]) -> UsageError:
    """An error that names the closest known name and then all of them."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=CLOSE)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    return UsageError(f"Unknown {kind} {name!r}.{hint} Known: {', '.join(names)}.")
