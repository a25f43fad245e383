"""Methods that fail: one setting that breaks its batch down, and a decoder that cannot be built."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from methods import registry
from tests.harness.launch import build, method


def poisoned(settings: dict[str, Any], arch: str, fidelity: str) -> Any:
    """The real decoder, except that threshold 9 raises once the batch is decoded."""
    decoder = build(settings, arch, fidelity)
    return replace(decoder, need=(_raise,)) if settings["threshold"] == 9 else decoder


def _raise(request: Any) -> None:
    raise ZeroDivisionError("a bug in one setting")


def register() -> None:
    """Put both methods into the registry."""
    known = registry.all_methods()
    known["test_poisoned"] = method("test_poisoned", decoder="tests.sweep.broken:poisoned", points=(0.0, 9.0, 3.0))
    known["test_nowhere"] = method("test_nowhere", decoder="tests.sweep.broken:missing", points=(0.0,))
