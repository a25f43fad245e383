"""The instrument: measures how much accuracy a language model keeps when it decodes many tokens per forward pass.

From Python: `harness.run`, `harness.sweep`, `harness.report`, `harness.compare` and `harness.load_runs`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.api import report, run
    from harness.store import load_runs

__version__ = "0.2.0"
__all__ = ["compare", "load_runs", "report", "run", "sweep"]

# name -> the module that has it; `compare` and `sweep` are modules that can be called (see harness.door)
_HOMES = {"compare": "", "load_runs": "harness.store", "report": "harness.api", "run": "harness.api", "sweep": ""}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'harness' has no attribute {name!r}")
    home = _HOMES[name]
    return getattr(importlib.import_module(home), name) if home else importlib.import_module(f"harness.{name}")


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
