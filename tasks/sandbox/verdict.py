"""The result of a check, and how a report from inside becomes an outcome."""

from __future__ import annotations

import errno
import signal
from dataclasses import dataclass
from typing import Any

OUTCOMES = {
    "passed": "every test held",
    "failed": "a test did not hold, or the program raised an exception or ended early",
    "timeout": "the wall clock or the processor limit was reached",
    "memory": "the memory limit was reached",
    "syntax": "the program is not Python",
    "no_code": "there is no code to run",
    "crashed": "the process died (a signal, os._exit)",
    "blocked": "the program failed on something the sandbox forbids (network, files, processes)",
}
DENIED = {
    errno.EACCES,
    errno.EPERM,
    errno.EROFS,
    errno.EAGAIN,
    errno.ENETUNREACH,
    errno.EHOSTUNREACH,
    errno.ECONNREFUSED,
    errno.ENETDOWN,
    errno.EFBIG,
    errno.ENOSPC,
    errno.EMFILE,
    errno.ENXIO,
}


@dataclass(frozen=True)
class Verdict:
    """The result of one check.

    outcome: one of OUTCOMES. detail: why, in one line. seconds: from the moment the tested code may run to the end.
    confinement: the walls that stood, `bubblewrap`, `namespaces` or `limits`.
    """

    outcome: str
    detail: str
    seconds: float
    confinement: str

    @property
    def passed(self) -> bool:
        """Whether every test held."""
        return self.outcome == "passed"


def of_error(error: dict[str, Any], where: str) -> tuple[str, str]:
    """(outcome, detail) of an exception described by the other process; never `passed`."""
    name, base = (str(word) for word in error.get("class", ["Exception", "Exception"]))
    name, text = _one_line(name, 100), _one_line(str(error.get("text", "")), 300)
    detail = f"{name}: {text}" if text else name
    if where == "compiling" and base != "MemoryError":
        return "syntax", detail
    if base == "MemoryError":
        return "memory", detail
    if base in ("SystemExit", "KeyboardInterrupt", "GeneratorExit"):
        return "failed", f"the program raised {detail} before the tests were through"
    if _denied(error):
        return "blocked", detail
    return "failed", detail


def _one_line(text: str, longest: int) -> str:
    """Text of the tested code as one printable line that can be stored: no control character, no surrogate."""
    words = " ".join(text[: 2 * longest].split())
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in words)[:longest]


def _denied(error: dict[str, Any]) -> bool:
    if "errno" not in error:
        return False
    file = error.get("file")
    hidden = error["errno"] == errno.ENOENT and isinstance(file, str) and file.startswith("/")
    return bool(error["errno"] in DENIED or error.get("network") or (hidden and not str(file).startswith("/tmp/")))


def of_exit(code: int | None) -> tuple[str, str]:
    """(outcome, detail) of a process that died without an answer; `code` is negative or 128 + n for a signal."""
    number = -code if code is not None and code < 0 else (code or 0) - 128
    if number == signal.SIGXCPU:
        return "timeout", "the processor time limit was reached"
    if number == signal.SIGXFSZ:
        return "blocked", "the file size limit was reached"
    if 0 < number < signal.NSIG:
        names = {one.value: one.name for one in signal.Signals}  # a few numbers in between have no name
        return "crashed", f"the process was killed by {names.get(number, f'signal {number}')}"
    return "crashed", f"the process ended with status {code} before the tests were through"
