"""The two ways this project writes a file: whole and atomically, or a line at the end.

Whole: a temporary file beside the target, fsync, rename; a reader sees the old file or the new one.
A line: one `write` of the whole line to a descriptor opened for appending. If the disk fills up in the middle of it,
the part that was written is cut off again, so the file always ends at a line's end.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from harness.errors import StoreError

SYNC_EVERY = 5.0  # seconds between two fsyncs of an append-only file: what a power cut may cost


def dumps(value: Any) -> str:
    """Compact JSON that keeps the order of keys and non-ASCII text readable; refuses NaN."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def write_atomic(path: Path, parts: str | Iterable[str]) -> None:
    """Replace `path` by the text in `parts`, completely or not at all.

    Raises StoreError when the folder is not writable or the disk is full; the old file is then still there.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "w", encoding="utf-8") as file:
            file.writelines([parts] if isinstance(parts, str) else parts)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise refusal(path, error) from error


def sweep(folder: Path) -> None:
    """Remove the temporary files in `folder` of writers that were killed; those of processes that live here stay."""
    for path in folder.glob(".*.tmp"):
        pid = path.name.split(".")[-2]
        if pid.isdigit() and not _lives(int(pid)):
            with suppress(OSError):
                path.unlink()


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):  # another user's process
        return True
    return True


def write_json(path: Path, value: Any) -> None:
    """Write one indented JSON document atomically."""
    write_atomic(path, json.dumps(value, ensure_ascii=False, allow_nan=False, indent=2) + "\n")


def _finite(text: str) -> float:
    """A number of a JSON file. Raises ValueError for NaN, Infinity and what is too large for a float."""
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is no finite number")
    return number


AGAIN = "Move the run folder away and run again."


def read_json(path: Path, way_out: str = AGAIN, *, finite: bool = False) -> dict[str, Any]:
    """Read one JSON object. Raises StoreError naming the file when it is missing, unreadable or not an object.

    way_out: the sentence that says what to do about a damaged one. finite: NaN and infinities are damage, too.
    """
    number = _finite if finite else None
    try:
        value = json.loads(path.read_text(encoding="utf-8"), parse_float=number, parse_constant=number)
    except OSError as error:
        raise StoreError(f"{path} cannot be read: {error.strerror or error}.") from error
    except (ValueError, RecursionError) as error:
        raise StoreError(f"{path} is not valid JSON ({error}). {way_out}") from error
    if not isinstance(value, dict):
        raise StoreError(f"{path} holds no JSON object. {way_out}")
    return value


class Appender:
    """A file that only grows, line by line; each line is in the kernel's hands when `append` returns."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        except OSError as error:
            raise refusal(path, error) from error
        self._synced = time.monotonic()

    def append(self, line: str) -> None:
        """Write `line` and a newline. Raises StoreError (with every earlier line intact) when it does not fit."""
        data = memoryview(line.encode("utf-8") + b"\n")
        start = os.fstat(self._fd).st_size
        try:
            while data:
                data = data[os.write(self._fd, data) :]
            if time.monotonic() - self._synced > SYNC_EVERY:
                self.sync()
        except OSError as error:
            os.ftruncate(self._fd, start)
            raise refusal(self.path, error) from error

    def sync(self) -> None:
        """Force what was written onto the disk."""
        os.fsync(self._fd)
        self._synced = time.monotonic()

    def close(self) -> None:
        """Sync and close; a second call does nothing."""
        if self._fd >= 0:
            try:
                os.fsync(self._fd)
            finally:
                os.close(self._fd)
                self._fd = -1


def refusal(path: Path, error: OSError) -> StoreError:
    """The sentence for a file that cannot be written."""
    reason = error.strerror or str(error)
    return StoreError(f"{path} cannot be written: {reason}. Free or choose another place (--out), then run again.")
