"""Splitting a plan over machines that do not talk to each other: `--shard i/n`.

Every machine makes the same plan and takes its own part. Runs are assigned back and forth (1 2 3 3 2 1 ...), because a
curve begins with its slowest point and round-robin would give one machine all of those.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TypeVar

from harness.errors import UsageError

T = TypeVar("T")


def parse_shard(text: str | None) -> tuple[int, int]:
    """`i/n` as numbers, (1, 1) for none. Raises UsageError unless 1 <= i <= n."""
    match = re.fullmatch(r"(\d+)/(\d+)", text.strip()) if text else None
    part, parts = (int(match[1]), int(match[2])) if match else (1, 1)
    if (text and not match) or not 1 <= part <= parts:
        raise UsageError(f"--shard {text} is not i/n with 1 <= i <= n, for example 1/4.")
    return part, parts


def shard(items: Sequence[T], part: int, parts: int) -> list[T]:
    """The items of one part (1-based), in their order; the parts together hold every item once."""
    return [item for i, item in enumerate(items) if _owner(i, parts) == part]


def _owner(i: int, parts: int) -> int:
    lap, place = divmod(i, parts)
    return place + 1 if lap % 2 == 0 else parts - place
