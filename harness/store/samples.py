"""Reading `samples.jsonl`: a torn end is tolerated, anything else that is broken is named and refused.

The keys of a line are ordered: what the DataFrame of samples needs (FRAME), the rest of the short ones (LIGHT), the
long ones (HEAVY). A reader of a million lines stops parsing each of them where the next group begins.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness.errors import StoreError
from harness.store.checks import sample_fault

FRAME = (
    *("doc_id", "prompt_hash", "prompt_tokens", "outcome", "correct", "stop_reason", "forwards", "nfe", "positions"),
    *("tokens", "seconds"),
)
LIGHT = (
    *(*FRAME, "task", "strict", "flexible", "tokens_compat", "revisions", "remasks", "truncated"),
    *("forwards_run", "positions_run"),
)
HEAVY = (
    *("extracted", "prompt", "text", "output_ids", "pieces", "trace", "first_trace", "edits", "edit_pieces"),
    *("detail", "error"),
)
# an inner quote of a JSON string is escaped, so these bytes are always a key
FRAME_END = f', "{LIGHT[len(FRAME)]}":'.encode()
LIGHT_END = f', "{HEAVY[0]}":'.encode()


def ordered(sample: dict[str, Any]) -> dict[str, Any]:
    """`sample` with its keys in the order of the file; keys this version does not know keep their place at the end."""
    known = {name: sample[name] for name in (*LIGHT, *HEAVY) if name in sample}
    return {**known, **sample}


def read_samples(path: Path, *, light: bool = False, check: bool = True) -> Iterator[dict[str, Any]]:
    """The samples of a file in its order; `light` leaves out the long keys, unparsed.

    A last line that is torn or garbage is left out. Raises StoreError naming file and line for a broken line before
    the last one, for a value that cannot be (unless `check` is false: an older schema), and for a document that
    appears twice.
    """
    seen: set[int] = set()
    for number, line, value in _parsed(path, light):
        if value is None:
            if _is_last(path, number):
                return
            raise StoreError(
                f"{path}, line {number} is corrupt: {line[:40]!r}. Nothing was changed; remove that line to decode its "
                "document again, or run with --fresh."
            )
        if check and (fault := sample_fault(value, light)):
            raise StoreError(
                f"{path}, line {number} {fault}. Nothing was changed; remove that line to decode its document again, "
                "or run with --fresh."
            )
        doc_id = value["doc_id"]
        if doc_id in seen:
            raise StoreError(f"{path}, line {number} repeats document {doc_id}; remove one of the two lines.")
        seen.add(doc_id)
        yield value


def _parsed(path: Path, light: bool) -> Iterator[tuple[int, bytes, dict[str, Any] | None]]:
    try:
        with open(path, "rb") as file:
            for number, line in enumerate(file, start=1):
                yield number, line, _parse(line, light)
    except FileNotFoundError:
        return
    except OSError as error:
        raise StoreError(f"{path} cannot be read: {error.strerror or error}.") from error


def cut(line: bytes, before: bytes = LIGHT_END) -> bytes:
    """A line of the file as a JSON object that ends `before` a key; a line of another shape comes back as it is."""
    end = line.find(before) if line.endswith(b"}\n") else -1
    return line[:end] + b"}" if end > 0 else line


def _parse(line: bytes, light: bool) -> dict[str, Any] | None:
    """The object in `line`, or None if there is none."""
    try:
        value = json.loads(cut(line) if light else line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _is_last(path: Path, number: int) -> bool:
    with open(path, "rb") as file:
        return sum(1 for _ in file) == number


def repair_tail(path: Path) -> int:
    """Make a file end at a line's end before appending to it; returns the number of bytes dropped.

    A complete last line that only lacks its newline gets it; a torn or garbage one is cut off.
    """
    if not path.exists():
        return 0
    with open(path, "r+b") as file:
        start, last = 0, b""
        for line in file:
            start, last = start + len(last), line
        if not last or (last.endswith(b"\n") and _parse(last, False) is not None):
            return 0
        if _parse(last, False) is not None:
            file.seek(0, 2)
            file.write(b"\n")
            return 0
        file.truncate(start)
        return len(last)
