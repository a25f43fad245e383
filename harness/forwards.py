"""Kinds of forward passes and which of them count: the engine's own rule, imported by everything that only counts.

`methods` is a common name, and this is where counting reaches for it first: what is imported must be our package.
"""

from __future__ import annotations

from harness.packages import check_packages

check_packages()

from methods.decoding.forwards import KINDS, total_forwards  # noqa: E402  (after the check, so nothing else runs)

__all__ = ["KINDS", "total_forwards"]
