"""What a user of `reports` can get wrong: one sentence each, with the command line's exit code."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

CLOSE = 0.66  # how alike, from 0 to 1, a known name has to be to be suggested


class ReportError(Exception):
    """Data that cannot be reported as it is: a bad run, mixed protocols, a broken file (exit code 1)."""

    exit_code = 1


class ReportUsageError(ReportError):
    """Something was asked for that does not exist (exit code 2)."""

    exit_code = 2


def unknown(kind: str, name: str, known: Iterable[str]) -> ReportUsageError:
    """An error that names the closest known name and then all of them."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=CLOSE)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    return ReportUsageError(f"Unknown {kind} {name!r}.{hint} Known: {', '.join(names)}.")
