"""Finds the methods: `METHODS` of each file in `methods/catalog`, and the entry points `dllm_harness.methods`."""

from __future__ import annotations

import importlib
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path

from methods.errors import MethodsError, unknown
from methods.method import Method

GROUP = "dllm_harness.methods"


@cache
def all_methods() -> dict[str, Method]:
    """Every known method by name, this package's first.

    Raises MethodsError if another package's entry point does not load or takes a name already used.
    """
    found: dict[str, Method] = {}
    for file in Path(__file__).parent.glob("catalog/*.py"):
        if file.stem != "__init__":
            rows = importlib.import_module(f"methods.catalog.{file.stem}").METHODS
            found.update({method.name: method for method in rows})
    found = dict(sorted(found.items()))
    for point in entry_points(group=GROUP):
        try:
            method = point.load()
        except Exception as error:
            raise MethodsError(f"The method {point.name!r} of {point.value} does not load: {error}") from error
        if not isinstance(method, Method):
            raise MethodsError(f"The entry point {point.name!r} ({point.value}) is not a methods.method.Method.")
        if method.name in found:
            raise MethodsError(f"{point.value} registers the method {method.name!r}, which already exists.")
        found[method.name] = method
    return found


def names() -> list[str]:
    """The names of all methods, sorted."""
    return sorted(all_methods())


def get(name: str) -> Method:
    """The method called `name`. Raises MethodsUsageError naming the closest known one."""
    methods = all_methods()
    if name not in methods:
        raise unknown("method", name, methods)
    return methods[name]
