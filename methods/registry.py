"""Finds the methods: `METHODS` of each file in `methods/catalog`, and the entry points `dllm_harness.methods`."""

from __future__ import annotations

import importlib
import logging
import re
from collections.abc import Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from methods.backbones.safetensors_header import shown
from methods.errors import MethodsError, unknown
from methods.method import Method

GROUP = "dllm_harness.methods"
NAME = re.compile(r"\w[\w.-]*", re.ASCII)  # a run's folder is called after its method


@cache
def all_methods() -> dict[str, Method]:
    """Every known method by name, this package's first.

    Another package's method that does not load, is none or takes a name already used is left out with a warning that
    names the package; asking for it raises (`get`).
    """
    found: dict[str, Method] = {}
    for file in Path(__file__).parent.glob("catalog/*.py"):
        if file.stem != "__init__":
            rows = importlib.import_module(f"methods.catalog.{file.stem}").METHODS
            found.update({method.name: method for method in rows})
    found = dict(sorted(found.items()))
    for point in entry_points(group=GROUP):
        try:
            method = _load(point, found)
        except MethodsError as error:
            _left_out.setdefault(point.name, str(error))
            logging.getLogger(__name__).warning("harness: left out: %s", error)
            continue
        found[method.name] = method
    return found


_left_out: dict[str, str] = {}  # the entry point's name -> why its method is not among the others


def _load(point: EntryPoint, known: Mapping[str, Method]) -> Method:
    """The method of another package's entry point. Raises MethodsError naming the package and what is wrong."""
    dist = getattr(point, "dist", None)
    package = f" of the package {dist.name} {dist.version}" if dist else ""
    what = f"the method {shown(point.name)}{package} ({shown(point.value)})"
    try:
        method = point.load()
    except (Exception, SystemExit) as error:  # whatever a foreign module raises while it is imported
        why = " ".join(str(error).split()) or "no reason given"
        raise MethodsError(f"{what} does not load: {type(error).__name__}: {shown(why)}") from error
    if not isinstance(method, Method):
        raise MethodsError(f"{what} is not a methods.method.Method.")
    if not isinstance(method.name, str) or not NAME.fullmatch(method.name):
        raise MethodsError(f"{what} has the name {shown(ascii(method.name))}; a name is letters, digits, _ - and dots.")
    if method.name in known:
        raise MethodsError(f"{what} has the name of {method.name!r}, which already exists.")
    return method


def names() -> list[str]:
    """The names of all methods, sorted."""
    return sorted(all_methods())


def get(name: str) -> Method:
    """The method called `name`.

    Raises MethodsUsageError naming the closest known one, MethodsError for another package's that was left out.
    """
    methods = all_methods()
    if name not in methods and name in _left_out:
        raise MethodsError(_left_out[name][:1].upper() + _left_out[name][1:])
    if name not in methods:
        raise unknown("method", name, methods)
    return methods[name]
