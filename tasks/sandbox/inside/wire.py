"""The JSON form of the values that the checker and the candidate exchange: plain data and nothing else.

Both ends run in separate processes. Decoding executes nothing: no pickle, no import by name except of a short list of
pure modules. An object that is not plain data crosses as a number (a handle) and stays where it is.
This file is read inside the sandbox by path; it may import only the standard library.
"""

from __future__ import annotations

import collections
import importlib
import sys
from collections.abc import Callable

TYPE_CHECKING = False
if TYPE_CHECKING:  # importing it takes each process milliseconds
    from typing import Any

NAMES = """
bisect cmath collections copy datetime decimal fractions functools heapq itertools json math numpy operator random re
statistics string typing
"""
PURE = frozenset(NAMES.split())  # modules whose functions and classes a test may share with the tested code
ALIASES = {"np": "numpy"}  # the one alias under which data sets' tests expect a module of the program
BUILTIN_TYPES: tuple[Any, ...] = (int, float, complex, str, bytes, bool, list, tuple, dict, set, frozenset, object)
BUILTIN_TYPES += (type(None),)
_NOT_PLAIN = object()
TYPES = {kind.__name__: kind for kind in BUILTIN_TYPES}
# (module, class) -> how an instance becomes text, and its text an instance; imported when one is met
BY_TEXT: dict[tuple[str, str], tuple[str, str]] = {
    ("decimal", "Decimal"): ("__str__", "Decimal"),
    ("fractions", "Fraction"): ("__str__", "Fraction"),
    ("datetime", "datetime"): ("isoformat", "datetime.fromisoformat"),
    ("datetime", "date"): ("isoformat", "date.fromisoformat"),
    ("datetime", "time"): ("isoformat", "time.fromisoformat"),
}


def encode(value: Any, other: Callable[[Any], Any], _open: tuple[int, ...] = ()) -> Any:
    """A JSON form of plain data; `other(value)` gives the form of everything else (a handle, or raises)."""
    if value is None or type(value) in (bool, int, float, str):
        return value
    if id(value) in _open:
        return other(value)  # a cycle
    inner = (*_open, id(value))

    def each(values: Any) -> list[Any]:
        return [encode(item, other, inner) for item in values]

    if isinstance(value, BUILTIN_TYPES[:3]) and not isinstance(value, complex):
        return encode(int(value) if isinstance(value, int) else float(value), other)
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, list):
        return each(list.__iter__(value))
    if isinstance(value, dict):
        kind = "odict" if isinstance(value, collections.OrderedDict) else "dict"
        return {"t": kind, "v": [each(pair) for pair in dict.items(value)]}
    for name in ("tuple", "set", "frozenset"):
        if isinstance(value, TYPES[name]):
            return {"t": name, "v": each(TYPES[name].__iter__(value))}
    if isinstance(value, collections.deque):
        return {"t": "deque", "v": each(value)}
    form = _scalar(value)
    return other(value) if form is _NOT_PLAIN else form


def _scalar(value: Any) -> Any:
    if isinstance(value, bytes | bytearray):
        return {"t": "bytes" if isinstance(value, bytes) else "bytearray", "v": bytes(value).hex()}
    if isinstance(value, complex):
        return {"t": "complex", "v": [value.real, value.imag]}
    if type(value) is range:
        return {"t": "range", "v": [value.start, value.stop, value.step]}
    home, name = type(value).__module__, type(value).__name__
    if (home, name) in BY_TEXT and getattr(sys.modules.get(home), name, None) is type(value):
        return {"t": name, "v": getattr(value, BY_TEXT[home, name][0])()}
    if (home, name) == ("datetime", "timedelta"):
        return {"t": name, "v": [value.days, value.seconds, value.microseconds]}
    if isinstance(value, type) and any(value is kind for kind in BUILTIN_TYPES):
        return {"t": "type", "v": value.__name__}
    if value is Ellipsis:
        return {"t": "ellipsis", "v": None}
    return _numpy(value)


def _numpy(value: Any) -> Any:
    numpy = sys.modules.get("numpy")
    if numpy is None or not hasattr(numpy, "generic"):
        return _NOT_PLAIN
    if isinstance(value, numpy.generic):
        return encode(value.item(), lambda other: None) if _exact(value.dtype) else _NOT_PLAIN
    if isinstance(value, numpy.ndarray) and _exact(value.dtype):
        return {"t": "ndarray", "v": [encode(value.tolist(), lambda other: None), value.dtype.str]}
    return _NOT_PLAIN


def _exact(dtype: Any) -> bool:
    """Whether every value of an array of this type has an equal Python number or text (`longdouble` has none)."""
    return dtype.kind in "biuUS" or (dtype.kind in "fc" and dtype.itemsize <= (8 if dtype.kind == "f" else 16))


def decode(form: Any, other: Callable[[str, Any], Any]) -> Any:
    """The value of a JSON form; `other(kind, content)` makes what is not plain. Raises ValueError for a bad form."""
    if isinstance(form, list):
        return [decode(item, other) for item in form]
    if not isinstance(form, dict):
        return form
    kind = str(form.get("t"))
    content: Any = form.get("v")
    if kind in ("dict", "odict"):
        pairs = [(decode(key, other), decode(item, other)) for key, item in content]
        return dict(pairs) if kind == "dict" else collections.OrderedDict(pairs)
    if kind in ("tuple", "set", "frozenset", "deque"):
        make = {"tuple": tuple, "set": set, "frozenset": frozenset, "deque": collections.deque}[kind]
        return make(decode(item, other) for item in content)
    if kind in SCALARS:
        return SCALARS[kind](content)
    return other(kind, content)


def _array(content: Any) -> Any:
    import numpy

    values, kind = content
    if not _exact(numpy.dtype(kind)):
        raise ValueError(f"an array of {kind} is not plain data")
    return numpy.array(decode(values, lambda name, _: None), dtype=kind)


def _made(home: str, path: str) -> Callable[[Any], Any]:
    def make(content: Any) -> Any:
        function: Any = importlib.import_module(home)
        for name in path.split("."):
            function = getattr(function, name)
        return function(*content) if isinstance(content, list) else function(content)

    return make


SCALARS: dict[str, Callable[[Any], Any]] = {
    "bytes": bytes.fromhex,
    "bytearray": bytearray.fromhex,
    "complex": lambda parts: complex(*parts),
    "range": lambda parts: range(*parts),
    "type": TYPES.__getitem__,
    "ellipsis": lambda _: Ellipsis,
    "ndarray": _array,
    "timedelta": _made("datetime", "timedelta"),
    **{name: _made(home, path) for (home, name), (_, path) in BY_TEXT.items()},
}
