"""What is measured on: lm-eval tasks, the protocols that fix them, their data, their scores, and the code sandbox.

Importing this package imports neither torch nor lm-eval: both `names()` and the protocols read small YAML files.
"""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tasks.data import Source
    from tasks.loading import Loaded
    from tasks.protocols import Protocol

__all__ = ["load", "names"]


_ROOMS = ("data", "gold", "mini", "protocols", "sandbox", "scoring")


def __getattr__(name: str) -> ModuleType:
    """`tasks.sandbox`, `tasks.protocols`, … without importing them before they are used."""
    if name not in _ROOMS:
        raise AttributeError(f"module 'tasks' has no attribute {name!r}")
    return importlib.import_module(f"tasks.{name}")


def names() -> list[str]:
    """The tasks that some protocol defines, in the order of the tables."""
    from tasks import protocols

    return protocols.tasks()


def load(protocol: Protocol, source: Source, *, seed: int = 1234) -> Loaded:
    """The lm-eval task of a protocol on the rows of a source, ready to make requests and to score.

    seed: the few-shot sampler's (only used by protocols that draw their shots at random).
    Raises TasksError when the rows cannot be had or lack a field (the file and line are named).
    """
    from tasks.loading import load as load_task

    return load_task(protocol, source, seed=seed)
