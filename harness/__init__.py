"""The instrument: measures how much accuracy a language model keeps when it decodes many tokens per forward pass."""

from __future__ import annotations

from typing import Any

__version__ = "0.2.0"


def __getattr__(name: str) -> Any:
    if name == "load_runs":
        from harness.store import load_runs

        return load_runs
    raise AttributeError(f"module 'harness' has no attribute {name!r}")
