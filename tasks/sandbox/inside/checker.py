"""The process that holds the test: run it against the tested code of the other process, and write the verdict.

Only plain data comes back from there; comparisons happen here, so the tested code can neither patch them nor reach
the descriptor and the token that the verdict needs. This file runs inside the sandbox, under `python -I -S`, by path:
`checker.py SOCKET_FD VERDICT_FD PACKAGES MARK`, with the job as JSON on stdin (the mark only names it in a process
list).
"""

from __future__ import annotations

import builtins
import json
import os
import resource
import socket
import sys
import types

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from channel import Channel, Closed, ProtocolError
from remote import Link, Remote
from testcode import TestCode

del sys.path[0]

TYPE_CHECKING = False
if TYPE_CHECKING:  # importing it takes each process milliseconds
    from typing import Any

MEMORY = 4 * 1024**3


class Broken(BaseException):
    """The tested code's process failed to do what it was asked outside of any call. error: its own description."""

    def __init__(self, error: dict[str, Any], where: str) -> None:
        self.error, self.where = error, where


def run(link: Link, job: dict[str, Any]) -> None:
    """Run the candidate and its test; returning without an exception is the only way to pass."""
    entry = job["entry_point"]
    test = TestCode(job["test"], entry)
    for source in (job["candidate"], test.classes):
        failed = link.run(source) if source else None
        if failed:
            raise Broken(*failed)
    given = link.names(test.asked)
    if test.builtin and len(given) > 1:
        raise NameError(f"the program redefines {', '.join(sorted(given))}, and the test says not which it tests")
    for name in test.modules & given.keys():
        if not isinstance(given[name], types.ModuleType):
            raise NameError(f"the test uses {name!r} as a module, and the program has something else of that name")
    if entry and entry not in given:
        raise NameError(f"name '{entry}' is not defined")
    sys.modules["__main__"] = module = types.ModuleType("__main__")  # where unittest looks for tests
    space = module.__dict__
    space.update(given, __builtins__=builtins)
    try:
        exec(test.code, space)
    except SystemExit as end:  # of the test's own, as `unittest.main()` ends; the tested code's is a `Stopped`
        if end.code:
            raise
    if entry and test.checks and not isinstance(space.get("check"), Remote):
        space["check"](given[entry])
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
    for case in result.unexpectedSuccesses:
        raise AssertionError(f"{case} was expected to fail")


def judge(link: Link, job: dict[str, Any]) -> dict[str, Any]:
    """What happened, as the report that the process outside turns into an outcome."""
    try:
        run(link, job)
        link.requests.finish()
    except BaseException as error:
        return _report(link.requests.broken or error, job["test"])
    return {"report": "passed"}


def _report(error: BaseException, test: str) -> dict[str, Any]:
    if isinstance(error, Broken):
        return {"report": "error", "where": error.where, "error": error.error}
    if isinstance(error, Closed):
        return {"report": "gone"}
    described = getattr(error, "described", None)
    if described is None:
        text = str(error) if isinstance(error, ProtocolError) else _text(error, test)
        described = {"class": [type(error).__name__, type(error).__name__], "text": text}
    return {"report": "error", "where": "test", "error": described}


def _text(error: BaseException, test: str) -> str:
    try:
        message = str(error)[:300]
    except BaseException:
        message = ""
    frame, number = error.__traceback__, 0
    while frame is not None:
        if frame.tb_frame.f_code.co_filename == "test.py":
            number = frame.tb_lineno
        frame = frame.tb_next
    source = test.splitlines()
    line = source[number - 1].strip()[:200] if 0 < number <= len(source) else ""
    return f"{message} at: {line}" if message and line else message or line


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
    link = Link(Channel(socket.socket(fileno=number)))
    try:
        if link.requests.channel.receive() != "hello":
            raise Closed
    except (Closed, ProtocolError):
        os._exit(3)
    print(json.dumps({"token": job["token"], "started": True}), file=verdict, flush=True)
    report = judge(link, job) | {"token": job["token"]}
    print(json.dumps(report), file=verdict, flush=True)
    os._exit(0)


main()
