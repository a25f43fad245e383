"""What a user of `methods` can get wrong: one sentence each, with the command line's exit code."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

CLOSE = 0.66  # how alike, from 0 to 1, a known name has to be to be suggested


class MethodsError(Exception):
    """A failure with a sentence for the user (exit code 1): a checkpoint, a recipe, a prompt."""

    exit_code = 1


class MethodsUsageError(MethodsError):
    """Something was asked for that does not exist or is out of range (exit code 2)."""

    exit_code = 2


def unknown(kind: str, name: str, known: Iterable[str]) -> MethodsUsageError:
    """An error that names the closest known name and then all of them."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=CLOSE)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    return MethodsUsageError(f"Unknown {kind} {name!r}.{hint} Known: {', '.join(names)}.")
