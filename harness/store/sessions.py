"""The sessions of a run.json: who worked on the run, and how many of its samples each of them stored."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Session = dict[str, Any]


def counted(sessions: Iterable[Mapping[str, Any]], stored: int) -> list[Session]:
    """`sessions` with their `samples`, the last one's worked out where it was killed before it could say.

    stored: samples the run holds now. Older runs do not say; theirs stay unknown.
    """
    found = [dict(session) for session in sessions]
    if found and "samples" not in found[-1] and all("samples" in session for session in found[:-1]):
        found[-1]["samples"] = max(0, stored - sum(session["samples"] for session in found[:-1]))
    return found


def united(ours: Sequence[Mapping[str, Any]], theirs: Sequence[Mapping[str, Any]]) -> list[Session]:
    """The sessions of two halves of one run: ours, then those of theirs that are not among them."""
    known = [_start(session) for session in ours]
    return [dict(session) for session in (*ours, *(one for one in theirs if _start(one) not in known))]


def _start(session: Mapping[str, Any]) -> Session:
    """What is the same in every copy of a session: a count may have been added to one of them."""
    return {name: value for name, value in session.items() if name != "samples"}
