"""The tested code as the test sees it: values that came over as plain data, and objects that stayed where they are.

Comparisons happen in the checker's process, on its own objects. This file is read inside the sandbox by path.
"""

from __future__ import annotations

import builtins
import collections
import importlib
from collections.abc import Collection

import wire
from channel import Channel
from replies import Requests

TYPE_CHECKING = False
if TYPE_CHECKING:  # importing it takes each process milliseconds
    from typing import Any

ABOUT = frozenset({"__name__", "__qualname__", "__doc__", "__module__"})  # the only dunder attributes that are fetched


class Stopped(BaseException):
    """SystemExit, KeyboardInterrupt or the like in the tested code: no test catches it by accident."""


class Remote:
    """An object of the tested code that is not plain data: used where it is, never equal to plain data."""

    def __init__(self, link: Link, number: int) -> None:
        object.__setattr__(self, "_link", link)
        object.__setattr__(self, "_number", number)

    def _ask(self, do: str, kind: type, *args: Any) -> Any:
        return self._link.ask(do, self._number, kind, args)

    def __call__(self, *args: Any, **named: Any) -> Any:
        return self._link.call(self._number, args, named)

    def __getattr__(self, name: str) -> Any:
        # numpy would read memory of this process at the address in an `__array_interface__` of the program's choice
        if name.startswith("__") and name not in ABOUT:
            raise AttributeError(f"{name!r} of the program's objects is not available to a test")
        return self._ask("getattr", object, name)

    def __setattr__(self, name: str, value: Any) -> None:
        self._ask("setattr", type(None), name, value)

    def __iter__(self) -> Any:
        return self._ask("iter", Remote)

    def __next__(self) -> Any:
        return self._ask("next", object)

    def __len__(self) -> int:
        return self._ask("len", int)

    def __bool__(self) -> bool:
        return self._ask("bool", bool)

    def __str__(self) -> str:
        return self._ask("str", str)

    def __repr__(self) -> str:
        return self._ask("repr", str)

    def __contains__(self, item: Any) -> bool:
        return any(value is item or value == item for value in self)  # compared here: the item is an expected value

    def __getitem__(self, key: Any) -> Any:
        return self._ask("getitem", object, key)

    def __setitem__(self, key: Any, value: Any) -> None:
        self._ask("setitem", type(None), key, value)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Remote):
            return False  # an object that claims to equal everything equals nothing here
        return self._number == other._number or self._ask("eq", bool, other)

    def __hash__(self) -> int:
        return hash(self._number)


class Link:
    """The connection to the tested code."""

    def __init__(self, channel: Channel) -> None:
        self.requests = Requests(channel, self._called)
        self.callbacks: list[Any] = []
        self.remotes: dict[int, Remote] = {}
        self.exceptions: dict[tuple[str, str], type[BaseException]] = {}

    def run(self, source: str) -> tuple[dict[str, Any], str] | None:
        """Run source in the tested code's namespace; (error, `compiling` or `program`) if that failed."""
        requests = self.requests
        reply = requests.reply(requests.send({"do": "run", "source": source}))
        if "error" in reply:
            requests.require(reply, "error", "compiling")
            where = "compiling" if requests.expect(bool, reply["compiling"]) else "program"
            return requests.error(reply["error"]), where
        requests.expect(type(None), requests.require(reply, "value")["value"])
        return None

    def names(self, asked: Collection[str]) -> dict[str, Any]:
        """The tested code's values of those of the asked global names that it has."""
        forms = self.requests.expect(dict, self._exchange({"do": "names", "names": sorted(asked)}, "value")["value"])
        if not forms.keys() <= set(asked):
            self.requests.refuse("names that were not asked for")
        return {name: self._named(name, form) for name, form in forms.items()}

    def ask(self, do: str, number: int, kind: type, args: tuple[Any, ...]) -> Any:
        """The value, which must be a `kind`, of an operation on an object of the tested code."""
        message = {"do": do, "of": number, "args": self.encode(list(args))}
        return self.requests.expect(kind, self.decode(self._exchange(message, "value")["value"]))

    def call(self, number: int, args: tuple[Any, ...], named: dict[str, Any]) -> Any:
        """Call an object of the tested code; changes it made to list, dict and set arguments are made here too."""
        message = {"do": "call", "of": number, "args": self.encode(list(args)), "named": self.encode(named)}
        reply = self._exchange(message, "value", "changed")
        positions = {str(position): arg for position, arg in enumerate(args)}
        for position, form in self.requests.expect(dict, reply["changed"]).items():
            if position not in positions or not _become(positions[position], self.decode(form)):
                self.requests.refuse("a change of what is not a changeable argument of the call")
        return self.decode(reply["value"])

    def encode(self, value: Any) -> Any:
        """The form of a value of the test: plain data, an object of the other side, or a function to call back."""
        return wire.encode(value, self._local)

    def decode(self, form: Any) -> Any:
        """A value of the tested code."""
        try:
            return wire.decode(form, self._foreign)
        except MemoryError as error:
            self.requests.broken = error
            raise
        except Exception as error:
            self.requests.refuse(f"a value that cannot be read ({type(error).__name__})")

    def _local(self, value: Any) -> Any:
        if isinstance(value, Remote):
            return {"t": "handle", "v": value._number}
        if not callable(value):
            raise TypeError(f"the test passes a {type(value).__name__}, which cannot leave its process")
        self.callbacks.append(value)
        return {"t": "callback", "v": len(self.callbacks) - 1}

    def _foreign(self, kind: str, content: Any) -> Any:
        if kind != "handle" or type(content) is not int or content < 0:
            self.requests.refuse(f"a value of the kind {kind[:40]!r}")
        return self.remotes.setdefault(content, Remote(self, content))

    def _named(self, name: str, form: Any) -> Any:
        """The value of a global name; a pure module, or a part of one, is the checker's own of the same name."""
        kind, content = (form.get("t"), form.get("v")) if isinstance(form, dict) else (None, None)
        if kind == "module" and content == wire.ALIASES.get(name, name) and content in wire.PURE:
            return importlib.import_module(content)
        if kind == "shared" and isinstance(content, str) and content in wire.PURE and not name.startswith("_"):
            module = importlib.import_module(content)
            return getattr(module, name) if hasattr(module, name) else self.requests.refuse(f"no {name} of {content}")
        if kind == "exception":
            return self.exception(*self.requests.kind(content))
        return self.decode(form)

    def exception(self, name: str, base: str) -> type[BaseException]:
        """The exception class that stands for one of the tested code."""
        builtin = getattr(builtins, base, None)
        if not isinstance(builtin, type) or not issubclass(builtin, Exception):
            return Stopped
        if name == base:
            return builtin
        return self.exceptions.setdefault((name, base), type(name, (builtin,), {}))

    def _exchange(self, message: dict[str, Any], *fields: str) -> dict[str, Any]:
        """Send a request and return its reply, which has exactly `fields`; the other side's errors are raised."""
        reply = self.requests.reply(self.requests.send(message))
        if "error" not in reply:
            return self.requests.require(reply, *fields)
        error = self.requests.error(self.requests.require(reply, "error")["error"])
        kind = self.exception(*error["class"])
        if issubclass(kind, StopIteration) and message["do"] != "next":  # it would end a test's `map` or `zip` unseen
            kind = RuntimeError
        exception = _instance(kind, error["text"])
        exception.described = error  # type: ignore[attr-defined]
        raise exception

    def _called(self, request: dict[str, Any]) -> dict[str, Any]:
        number, args = request["callback"], self.requests.expect(list, self.decode(request["args"]))
        if type(number) is not int or not 0 <= number < len(self.callbacks):
            self.requests.refuse("a call of a function that was not passed to it")
        try:
            return {"value": self.encode(self.callbacks[number](*args))}
        except Exception as error:
            return {"raise": [type(error).__name__, str(error)]}


def _instance(kind: type[BaseException], text: str) -> BaseException:
    try:
        return kind(text)
    except TypeError:  # UnicodeDecodeError and the like need more than a text
        pass
    try:
        return kind.__new__(kind, text)
    except TypeError:  # an ExceptionGroup needs exceptions
        return Exception(text)


def _become(old: Any, new: Any) -> bool:
    """Give a list, bytearray, deque, dict or set the content of another; whether that was possible."""
    if any(isinstance(old, kind) and isinstance(new, kind) for kind in (list, bytearray)):
        old[:] = new
    elif any(isinstance(old, kind) and isinstance(new, kind) for kind in (dict, set)):
        old.clear()
        old.update(new)
    elif isinstance(old, collections.deque) and isinstance(new, collections.deque):
        old.clear()
        old.extend(new)
    else:
        return False
    return True
