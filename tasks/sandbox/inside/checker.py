"""The process that holds the test: run it against the tested code of the other process, and write the verdict.

Only plain data comes back from there; comparisons happen here, so the tested code can neither patch them nor reach
the descriptor and the token that the verdict needs. This file runs inside the sandbox, under `python -I -S`, by path:
`checker.py SOCKET_FD VERDICT_FD PACKAGES`, with the job as JSON on stdin.
"""

from __future__ import annotations

import ast
import builtins
import importlib
import json
import os
import resource
import socket
import sys
import time
import types
from typing import Any

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import wire

del sys.path[0]

MEMORY = 4 * 1024**3


class Broken(BaseException):
    """The tested code's process failed to do what it was asked outside of any call. error: its own description."""

    def __init__(self, error: dict[str, Any], where: str) -> None:
        self.error, self.where = error, where


class Remote:
    """An object of the tested code that is not plain data: used where it is, never compared with plain data."""

    def __init__(self, link: Link, number: int) -> None:
        object.__setattr__(self, "_link", link)
        object.__setattr__(self, "_number", number)

    def _ask(self, do: str, *args: Any) -> Any:
        return self._link.ask({"do": do, "of": self._number, "args": self._link.encode(list(args))})

    def __call__(self, *args: Any, **named: Any) -> Any:
        return self._link.call(self._number, args, named)

    def __getattr__(self, name: str) -> Any:
        return self._ask("getattr", name)

    def __setattr__(self, name: str, value: Any) -> None:
        self._ask("setattr", name, value)

    def __iter__(self) -> Any:
        iterator = self._ask("iter")
        if not isinstance(iterator, Remote):
            raise TypeError("an iterator was expected")
        return iterator

    def __next__(self) -> Any:
        return self._ask("next")

    def __len__(self) -> int:
        return self._ask("len")

    def __bool__(self) -> bool:
        return bool(self._ask("bool"))

    def __str__(self) -> str:
        return self._ask("str")

    def __repr__(self) -> str:
        return self._ask("repr")

    def __contains__(self, item: Any) -> bool:
        return bool(self._ask("in", item))

    def __getitem__(self, key: Any) -> Any:
        return self._ask("getitem", key)

    def __setitem__(self, key: Any, value: Any) -> None:
        self._ask("setitem", key, value)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Remote):
            return False  # an object that claims to equal everything equals nothing here
        return self._number == other._number or bool(self._ask("eq", other))

    def __hash__(self) -> int:
        return hash(self._number)


class Link:
    """The connection to the tested code."""

    def __init__(self, channel: wire.Channel) -> None:
        self.channel = channel
        self.callbacks: list[Any] = []
        self.exceptions: dict[str, type[Exception]] = {}

    def encode(self, value: Any) -> Any:
        """The form of a value of the test: plain data, an object of the other side, or a function to call back."""
        return wire.encode(value, self._local)

    def _local(self, value: Any) -> Any:
        if isinstance(value, Remote):
            return {"t": "handle", "v": value._number}
        if not callable(value):
            raise TypeError(f"the test hands over a {type(value).__name__}, which cannot leave its process")
        self.callbacks.append(value)
        return {"t": "callback", "v": len(self.callbacks) - 1}

    def decode(self, form: Any) -> Any:
        """A value of the tested code."""
        return wire.decode(form, self._foreign)

    def _foreign(self, kind: str, content: Any) -> Any:
        if kind == "handle" and isinstance(content, int):
            return Remote(self, content)
        raise ValueError(f"{kind} is not a kind of value")

    def name(self, form: Any) -> Any:
        """The value of a global name of the tested code."""
        kind: Any = form.get("t") if isinstance(form, dict) else None
        content: Any = form.get("v") if isinstance(form, dict) else None
        if kind == "module" and content in wire.PURE:
            return importlib.import_module(content)
        if kind == "shared" and content[0] in wire.PURE and not str(content[1]).startswith("_"):
            return getattr(importlib.import_module(content[0]), content[1])
        if kind == "exception":
            return self.exception(content)
        return self.decode(form)

    def exception(self, described: list[str]) -> type[BaseException]:
        """The exception class that stands for one of the tested code."""
        name, base = (str(word) for word in described)
        kind = getattr(builtins, base, None)
        kind = kind if isinstance(kind, type) and issubclass(kind, Exception) else Stopped
        if name == base or kind is Stopped:
            return kind
        if name not in self.exceptions:
            self.exceptions[name] = type(name, (kind,), {})
        return self.exceptions[name]

    def call(self, number: int, args: tuple[Any, ...], named: dict[str, Any]) -> Any:
        """Call an object of the tested code; changes it made to list, dict and set arguments are made here too."""
        message = {"do": "call", "of": number, "args": self.encode(list(args)), "named": self.encode(named)}
        reply = self.exchange(message)
        for position, form in (reply.get("changed") or {}).items():
            _become(args[int(position)], self.decode(form))
        return self.decode(reply.get("value"))

    def ask(self, message: dict[str, Any]) -> Any:
        """The value of a request."""
        return self.decode(self.exchange(message).get("value"))

    def exchange(self, message: dict[str, Any]) -> dict[str, Any]:
        """Send a request and return its reply, answering callbacks meanwhile; the other side's errors are raised."""
        self.channel.send(message)
        while True:
            reply = self.channel.receive()
            if not isinstance(reply, dict):
                raise ValueError("the tested code's process answered nonsense")
            if "callback" in reply:
                self.channel.send(self._called(reply))
                continue
            if "error" in reply:
                self.raise_(reply["error"])
            return reply

    def _called(self, request: dict[str, Any]) -> dict[str, Any]:
        try:
            value = self.callbacks[request["callback"]](*self.decode(request["args"]))
            return {"value": self.encode(value)}
        except Exception as error:
            return {"raise": [type(error).__name__, str(error)]}

    def raise_(self, error: dict[str, Any]) -> None:
        """Raise here what was raised there."""
        exception = self.exception(error["class"])(str(error.get("text", "")))
        exception.described = error  # type: ignore[attr-defined]
        raise exception


class Stopped(BaseException):
    """SystemExit, KeyboardInterrupt or the like in the tested code: no test catches it by accident."""


def _become(old: Any, new: Any) -> None:
    if isinstance(old, list | bytearray) and isinstance(new, type(old)):
        old[:] = new
    elif isinstance(old, dict | set) and isinstance(new, type(old)):
        old.clear()
        old.update(new)


def free_names(code: types.CodeType) -> set[str]:
    """Every global or attribute name a piece of code mentions."""
    names = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            names |= free_names(constant)
    return names


def split_test(source: str) -> tuple[ast.Module, str]:
    """(the test, what belongs to the tested code): plain classes of a test live where the tested code can use them."""
    tree = ast.parse(source)
    classes = [
        node
        for node in tree.body
        if isinstance(node, ast.ClassDef) and not any("TestCase" in ast.unparse(base) for base in node.bases)
    ]
    if not classes:
        return tree, ""
    imports = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    tree.body = [node for node in tree.body if node not in classes] or [ast.Pass()]
    ast.fix_missing_locations(tree)
    return tree, "\n".join(ast.unparse(node) for node in [*imports, *classes])


def run(link: Link, job: dict[str, Any]) -> None:
    """Run the candidate and its test; returning without an exception is the only way to pass."""
    tree, classes = split_test(job["test"])
    code = compile(tree, "test.py", "exec", dont_inherit=True)
    for source in (job["candidate"], classes):
        if source:
            link.channel.send({"do": "run", "source": source})
            reply = link.channel.receive()
            if "error" in reply:
                raise Broken(reply["error"], "compiling" if reply.get("compiling") else "program")
    entry = job["entry_point"]
    wanted = free_names(code) | ({entry} if entry else set())
    sys.modules["__main__"] = module = types.ModuleType("__main__")  # where unittest looks for tests
    space = module.__dict__
    forms = link.exchange({"do": "names", "names": sorted(wanted)})["value"]
    own = {name for name in forms if not hasattr(builtins, name)}
    for name, form in forms.items():
        # a name of Python's own is taken from the tested code only where the test has nothing else to test
        if (name in own or not own or name == entry) and not (name == "check" and entry and name != entry):
            space[name] = link.name(form)
    if entry and entry not in space:
        raise NameError(f"name '{entry}' is not defined")
    function = space.get(entry)
    try:
        exec(code, space)
    except SystemExit as end:  # of the test's own, as `unittest.main()` ends; the tested code's is a `Stopped`
        if end.code:
            raise
    if entry and callable(space.get("check")) and not isinstance(space["check"], Remote):
        space["check"](function)
    _unittests(space)


def _unittests(space: dict[str, Any]) -> None:
    if "unittest" not in sys.modules:
        return
    import unittest

    suite = unittest.TestSuite()
    for value in list(space.values()):
        if isinstance(value, type) and issubclass(value, unittest.TestCase):
            suite.addTests(unittest.defaultTestLoader.loadTestsFromTestCase(value))
    result = suite.run(unittest.TestResult())
    for _, text in [*result.failures, *result.errors]:
        raise AssertionError(text.strip().splitlines()[-1])


def judge(link: Link, job: dict[str, Any]) -> dict[str, Any]:
    """What happened, as the report that the process outside turns into an outcome."""
    try:
        run(link, job)
    except Broken as broken:
        return {"report": "error", "where": broken.where, "error": broken.error}
    except wire.Closed:
        return {"report": "gone"}
    except MemoryError:
        return {"report": "error", "where": "test", "error": {"class": ["MemoryError", "MemoryError"], "text": ""}}
    except BaseException as error:
        described = getattr(error, "described", None)
        if described is None:
            described = {"class": [type(error).__name__, type(error).__name__], "text": _text(error, job["test"])}
        return {"report": "error", "where": "test", "error": described}
    return {"report": "passed"}


def _text(error: BaseException, test: str) -> str:
    try:
        said = str(error)[:300]
    except BaseException:
        said = ""
    frame, number = error.__traceback__, 0
    while frame is not None:
        if frame.tb_frame.f_code.co_filename == "test.py":
            number = frame.tb_lineno
        frame = frame.tb_next
    source = test.splitlines()
    line = source[number - 1].strip()[:200] if 0 < number <= len(source) else ""
    return f"{said} at: {line}" if said and line else said or line


def main() -> None:
    """Read the job, wait for the other side, judge, and write the verdict with the token."""
    number, verdict_fd = int(sys.argv[1]), int(sys.argv[2])
    if sys.argv[3]:
        sys.path.append(sys.argv[3])
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sys.set_int_max_str_digits(0)
    sys.argv = ["test.py"]
    job = json.load(sys.stdin)
    verdict = os.fdopen(verdict_fd, "w")
    link = Link(wire.Channel(socket.socket(fileno=number)))
    try:
        if link.channel.receive() != "hello":
            raise wire.Closed
    except wire.Closed:
        os._exit(3)
    print(json.dumps({"token": job["token"], "started": True}), file=verdict, flush=True)
    start = time.monotonic()
    report = judge(link, job)
    report |= {"token": job["token"], "seconds": time.monotonic() - start}
    print(json.dumps(report), file=verdict, flush=True)
    os._exit(0)


main()
