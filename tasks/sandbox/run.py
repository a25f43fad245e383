"""One check: two confined processes, one clock, one verdict.

    this process ── job, token ──▶ checker (holds the test) ◀── plain data ──▶ candidate (holds the tested code)
         ◀───────── verdict with the token ────┘

The tested code's process has one descriptor, the socket to the checker, and never sees the test.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import select
import signal
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from typing import Any

from tasks.errors import TasksError
from tasks.sandbox import confine
from tasks.sandbox.verdict import Verdict, of_error, of_exit

STARTUP = 120.0  # seconds for the two interpreters to start on a busy machine; not the tested code's time
PROCESSES = 32
MARK = f"sandbox-of-{os.getpid()}"  # in the command lines, so that a process list says whose they are


@dataclass
class _Pair:
    """The two processes of a check and the pipe the verdict comes through."""

    checker: subprocess.Popen[bytes]
    candidate: subprocess.Popen[bytes]
    verdict: int
    gently: bool  # through the reaper, which kills everything below it
    buffer: bytes = field(default=b"")

    def line(self, deadline: float) -> dict[str, Any] | None:
        """The checker's next line, None at the deadline or when it is gone without one."""
        while b"\n" not in self.buffer:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.verdict], [], [], left)[0]:
                return None
            part = os.read(self.verdict, 65536)
            if not part:
                return None
            self.buffer += part
        line, _, self.buffer = self.buffer.partition(b"\n")
        report = json.loads(line)
        return report if isinstance(report, dict) else None

    def end(self) -> None:
        """Kill both with everything they started and wait for them."""
        for process in (self.candidate, self.checker):
            with contextlib.suppress(ProcessLookupError):
                if self.gently:
                    process.terminate()
                else:
                    os.killpg(process.pid, signal.SIGKILL)
        for process in (self.candidate, self.checker):
            process.wait()
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)  # what a killed reaper left of its group
        os.close(self.verdict)


def _start(job: dict[str, Any], walls: confine.Confinement, memory_mb: int, cpu_seconds: int) -> _Pair:
    ours, theirs = socket.socketpair()
    reading, writing = os.pipe()
    processes = PROCESSES
    if walls.name == "limits":  # there the limit counts all processes of this user
        processes += sum(1 for name in os.listdir("/proc") if name.isdigit()) * 4
    limits = [str(theirs.fileno()), str(memory_mb), str(cpu_seconds), str(processes), walls.packages, MARK]
    with tempfile.TemporaryFile() as file, ours, theirs:
        file.write(json.dumps(job).encode())
        file.seek(0)
        quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        quiet |= {"env": confine.ENVIRONMENT, "start_new_session": True, "cwd": "/"}
        try:
            candidate = subprocess.Popen(
                walls.command("candidate.py", limits), stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()], **quiet
            )
            checker = subprocess.Popen(
                walls.command("checker.py", [str(ours.fileno()), str(writing), walls.packages, MARK]),
                stdin=file,
                pass_fds=[ours.fileno(), writing],
                **quiet,
            )
        finally:
            os.close(writing)
    return _Pair(checker, candidate, reading, gently=walls.name == "limits")


def check(
    candidate: str,
    test: str,
    entry_point: str | None = None,
    *,
    timeout: float = 10.0,
    memory_mb: int = 1024,
    cpu_seconds: int | None = None,
    confinement: str | None = None,
    allow_unconfined: bool = False,
) -> Verdict:
    """Run a program against a test, confined, and say what happened. May be called from any thread.

    candidate: the program. test: assertions, HumanEval's `def check(candidate)` (called with `entry_point`) or
    unittest classes. entry_point: the function under test. timeout: seconds for program and test together.
    memory_mb: address space of the program. cpu_seconds: its processor time (default: a little more than `timeout`;
    less makes the outcome independent of what else the machine does). confinement: one of `confine.NAMES` (default:
    the strongest that works).
    Raises TasksError when nothing but resource limits is available and `allow_unconfined` is false.
    """
    walls = confine.choose(confinement, allow_unconfined)
    if not candidate.strip():
        return Verdict("no_code", "the program is empty", 0.0, walls.name)
    token = secrets.token_hex(16)
    job = {"candidate": candidate, "test": test, "entry_point": entry_point, "token": token}
    cpu_seconds = int(timeout) + 2 if cpu_seconds is None else cpu_seconds
    pair = _start(job, walls, memory_mb, cpu_seconds)
    try:
        first = pair.line(time.monotonic() + STARTUP)
        if first is None or first.get("token") != token:
            raise TasksError(f"The sandbox ({walls.name}) did not start on this machine; see `harness doctor`.")
        start = time.monotonic()
        report = pair.line(start + timeout)
        seconds = time.monotonic() - start
        outcome, detail = _judge(pair, report, token, seconds, timeout)
        if outcome == "crashed" and seconds >= cpu_seconds:  # it ignored the signal and was killed a second later
            outcome, detail = "timeout", "the processor time limit was reached"
    finally:
        pair.end()
    return Verdict(outcome, detail, round(seconds, 3), walls.name)


def _judge(pair: _Pair, report: dict[str, Any] | None, token: str, seconds: float, timeout: float) -> tuple[str, str]:
    if report is None and seconds >= timeout:
        return "timeout", f"no result after {timeout:g} seconds"
    if report is not None and report.get("token") == token:
        if report["report"] == "passed":
            return "passed", ""
        if report["report"] == "error":
            return of_error(report["error"], report["where"])
    try:
        return of_exit(pair.candidate.wait(timeout=5))
    except subprocess.TimeoutExpired:
        return "crashed", "the tested code closed its connection before the tests were through"
