"""Kinds of forward passes, and which of them count. No torch here: metrics and reports count by the same rule."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

Count = TypeVar("Count", int, float)
KINDS = ("prefill", "denoise", "refresh", "draft")
PREFILL, DENOISE, REFRESH, DRAFT = range(len(KINDS))


def total_forwards(forwards: Mapping[str, Count]) -> Count:
    """NFE: forward passes of the target model, which are all kinds but `draft` (see docs/definitions.md)."""
    return sum(count for kind, count in forwards.items() if kind != KINDS[DRAFT])
