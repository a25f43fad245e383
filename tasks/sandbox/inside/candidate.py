"""The process that holds the tested code: run it, then answer calls.

It never sees the tests, the expected values or the verdict's channel; whatever the tested code does to this process,
all it can send is an answer to a call. This file runs inside the sandbox, under `python -I -S`, by path:
`candidate.py SOCKET_FD MEMORY_MB CPU_SECONDS PROCESSES PACKAGES MARK` (the mark only names it in a process list).
"""

from __future__ import annotations

import builtins
import collections
import os
import resource
import socket
import sys
import types
from collections.abc import Callable

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import wire
from channel import Channel, Closed, ProtocolError

del sys.path[0]

TYPE_CHECKING = False
if TYPE_CHECKING:  # importing it takes each process milliseconds
    from typing import Any

FILE_BYTES = 16 * 1024 * 1024
OPEN_FILES = 64
CHANGEABLE = (list, dict, set, bytearray, collections.deque)


def limit(memory_mb: int, cpu_seconds: int, processes: int) -> None:
    """Set the hard limits of this process and of all it starts."""
    for what, value in (
        (resource.RLIMIT_AS, memory_mb * 1024 * 1024),
        (resource.RLIMIT_FSIZE, FILE_BYTES),
        (resource.RLIMIT_NOFILE, OPEN_FILES),
        (resource.RLIMIT_NPROC, processes),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(what)
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(what, (value, value))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds + 1))  # SIGXCPU first, then SIGKILL


OPERATIONS: dict[str, Callable[..., Any]] = {
    "getattr": getattr,
    "setattr": setattr,
    "iter": iter,
    "next": next,
    "len": len,
    "bool": bool,
    "str": str,
    "repr": repr,
    "eq": lambda a, b: bool(a == b),
    "getitem": lambda a, key: a[key],
    "setitem": lambda a, key, value: a.__setitem__(key, value),
}


class Callback:
    """A function of the test, handed to the tested code: calling it asks the checker."""

    def __init__(self, server: Server, number: int) -> None:
        self._server, self._number = server, number

    def __call__(self, *args: Any) -> Any:
        server = self._server
        server.reply({"callback": self._number, "args": server.encode(list(args))})
        return server.serve(until_value=True)


class Server:
    """The tested code's namespace and the objects of it that the checker knows by number."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.number = 0  # of the request that is being answered
        self.space: dict[str, Any] = {"__name__": "candidate", "__builtins__": builtins}
        self.objects: list[Any] = []
        sys.modules["candidate"] = module = types.ModuleType("candidate")
        module.__dict__.update(self.space)
        self.space = module.__dict__

    def handle(self, value: Any) -> dict[str, Any]:
        """The form of an object that stays here."""
        for number, known in enumerate(self.objects):
            if known is value:
                return {"t": "handle", "v": number}
        self.objects.append(value)
        return {"t": "handle", "v": len(self.objects) - 1}

    def encode(self, value: Any) -> Any:
        """The form of a value: plain data by content, anything else by number."""
        try:
            return wire.encode(value, self.handle)
        except RecursionError:
            return self.handle(value)

    def decode(self, form: Any) -> Any:
        """A value from the checker."""
        return wire.decode(form, self._other)

    def _other(self, kind: str, content: Any) -> Any:
        return self.objects[content] if kind == "handle" else Callback(self, content)

    def reply(self, message: dict[str, Any]) -> None:
        """Send a message that belongs to the request being answered."""
        self.channel.send(message | {"id": self.number})

    def shared(self, name: str, value: Any) -> Any:
        """The form of a name's value: a pure module, or a part of one under its own name, is the checker's own."""
        if isinstance(value, types.ModuleType) and wire.ALIASES.get(name, name) == value.__name__ in wire.PURE:
            return {"t": "module", "v": value.__name__}
        home = getattr(value, "__module__", None)
        if isinstance(home, str) and home in wire.PURE and getattr(sys.modules.get(home), name, None) is value:
            return {"t": "shared", "v": home}
        if isinstance(value, type) and issubclass(value, Exception):
            return {"t": "exception", "v": _exception_class(value)}
        return self.encode(value)

    def serve(self, until_value: bool = False) -> Any:
        """Answer requests until the checker is gone (or, inside a callback, until its value arrives)."""
        while True:
            try:
                message = self.channel.receive()
            except (Closed, ProtocolError):
                os._exit(0)
            if until_value and "value" in message:
                return self.decode(message["value"])
            if until_value and "raise" in message:
                raise getattr(builtins, message["raise"][0], RuntimeError)(message["raise"][1])
            outer, self.number = self.number, message["id"]
            try:
                reply = self.answer(message)
            except BaseException as error:
                reply = {"error": describe(error)}
            try:
                self.reply(reply)
            except (Closed, MemoryError):
                os._exit(0)
            self.number = outer

    def answer(self, message: dict[str, Any]) -> dict[str, Any]:
        """The reply to one request of the checker."""
        do = message["do"]
        if do == "run":
            return self._run(message["source"])
        if do == "names":
            found = {name: self.shared(name, self.space[name]) for name in message["names"] if name in self.space}
            return {"value": found}
        target = self.objects[message["of"]]
        if do == "call":
            return self._call(target, message)
        args = self.decode(message["args"])
        return {"value": self.encode(OPERATIONS[do](target, *args))}

    def _run(self, source: str) -> dict[str, Any]:
        compiling = True
        try:
            code = compile(source, "candidate.py", "exec", dont_inherit=True)
            compiling = False
            exec(code, self.space)
        except BaseException as error:
            return {"error": describe(error), "compiling": compiling}
        return {"value": None}

    def _call(self, target: Any, message: dict[str, Any]) -> dict[str, Any]:
        args, named = self.decode(message["args"]), self.decode(message["named"])
        before = [self.encode(arg) if isinstance(arg, CHANGEABLE) else None for arg in args]
        value = self.encode(target(*args, **named))
        changed = {}
        for position, (arg, old) in enumerate(zip(args, before, strict=True)):
            if old is not None and (new := self.encode(arg)) != old:
                changed[str(position)] = new
        return {"value": value, "changed": changed}


def _exception_class(kind: type) -> list[str]:
    base = next(cls.__name__ for cls in kind.__mro__ if getattr(builtins, cls.__name__, None) is cls)
    return [kind.__name__, base]


def describe(error: BaseException) -> dict[str, Any]:
    """An exception as plain data: its class's name, the builtin class it derives from, its text, errno and file."""
    kind = type(error)
    try:
        text = str(error)[:500]
    except BaseException:
        text = ""
    form: dict[str, Any] = {"class": _exception_class(kind), "text": text}
    if isinstance(error, OSError):
        form["errno"] = error.errno
        form["file"] = str(error.filename) if error.filename is not None else None
        form["network"] = kind.__module__ == "socket"
    return form


def main() -> None:
    """Limit this process, greet the checker, serve."""
    number, memory_mb, cpu_seconds, processes = (int(word) for word in sys.argv[1:5])
    packages = sys.argv[5]
    limit(memory_mb, cpu_seconds, processes)
    if packages:
        sys.path.append(packages)
    sys.argv = ["candidate.py"]
    sys.set_int_max_str_digits(0)
    server = Server(Channel(socket.socket(fileno=number)))
    server.channel.send("hello")
    server.serve()


main()
