"""Lets a module be called like the function of its name: `harness.sweep(...)` while `harness.sweep` is a package too.

Importing a submodule binds its name in `harness`, over any function of that name; so the module itself is the door.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any

API = "harness.api"  # found by name and late, because it imports the very modules that become doors


class _Door(ModuleType):
    def __call__(self, *args: Any, **options: Any) -> Any:
        return self.__wrapped__(*args, **options)

    @property
    def __wrapped__(self) -> Any:
        """The function behind the call, for `inspect.signature` and the help of an editor."""
        return getattr(importlib.import_module(API), self.__name__.rpartition(".")[2])


def open_door(module: str) -> None:
    """Make the module of that name callable; calls go to the function of its last name in `harness.api`."""
    sys.modules[module].__class__ = _Door
