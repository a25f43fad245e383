"""Where a protocol's stop strings end a text: the one search for them."""

from __future__ import annotations

from collections.abc import Iterable


def first_stop(text: str, until: Iterable[str]) -> int:
    """Where the earliest stop string begins in `text`, its length where there is none; empty strings stop nothing."""
    return min((at for stop in until if stop and (at := text.find(stop)) >= 0), default=len(text))
