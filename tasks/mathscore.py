"""Scores of MATH answers: lm-eval's Minerva scorer, or our reader, in a child process with a clock.

Upstream guards sympy with SIGALRM, which only works on a main thread (elsewhere every comparison quietly fails) and
cannot interrupt everything; here a child process does the work on its own main thread, and one that takes too long is
killed and replaced.
"""

from __future__ import annotations

import atexit
import json
import select
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from tasks.boxes import last_box
from tasks.errors import TasksError

SECONDS = 30.0  # for one answer; upstream's own limits (5 s each) are reached first
STARTUP = 120.0
# our folder comes last on the child's import path and the current one not at all: it may hold a tasks.py
START = "import runpy, sys; sys.path.append(sys.argv.pop(1)); runpy.run_module('tasks.mathchild', run_name='__main__')"


class Judged(NamedTuple):
    """lm-eval's two metrics of a text, and the answer that `math_verify` compared (None: there was none)."""

    exact_match: float
    math_verify: float
    extracted: str | None

    @property
    def metrics(self) -> dict[str, float]:
        return {"exact_match": self.exact_match, "math_verify": self.math_verify}


class Child:
    """A process that scores one answer after another; safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            command = [sys.executable, "-P", "-c", START, str(Path(__file__).resolve().parents[1])]
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            if self._line(STARTUP) is None:
                self.close()
                raise TasksError("The process that scores MATH answers did not start; what it printed is above.")
        return self._process

    def _line(self, seconds: float) -> dict[str, Any] | None:
        """The child's next line, None if the time is over or it died. Lines are shorter than a pipe's buffer."""
        assert self._process is not None
        assert self._process.stdout is not None
        stream, data = self._process.stdout.fileno(), b""
        deadline = time.monotonic() + seconds
        while not data.endswith(b"\n"):
            if not select.select([stream], [], [], max(0.0, deadline - time.monotonic()))[0]:
                return None
            part = self._process.stdout.read1(65536)  # type: ignore[attr-defined]
            if not part:
                return None
            data += part
        line: dict[str, Any] = json.loads(data)
        return line

    def score(self, doc: dict[str, Any], text: str, *, boxed: bool = False, seconds: float = SECONDS) -> Judged:
        """The scores of a text; if the comparison takes longer than `seconds`, both are 0.

        boxed: the last box alone is compared (`tasks.mathreader`), not all that math-verify finds.
        """
        with self._lock:
            process = self._started()
            job = {"solution": doc["solution"], "answer": doc["answer"], "text": text, "boxed": boxed}
            assert process.stdin is not None
            process.stdin.write(json.dumps(job).encode() + b"\n")
            process.stdin.flush()
            line = self._line(seconds)
            if line is None:
                self.close()
                box = last_box(text)
                return Judged(0.0, 0.0, box.content if box else None)
            return Judged(float(line["exact_match"]), float(line["math_verify"]), line["extracted"])

    def close(self) -> None:
        """Kill the child; the next score starts a new one."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for stream in (self._process.stdin, self._process.stdout):
                if stream is not None:
                    stream.close()
            self._process = None


_child = Child()
atexit.register(_child.close)


@lru_cache(maxsize=8192)
def judged(solution: str, answer: str, text: str, boxed: bool) -> Judged:
    """The scores of a text against a document's solution and normalised answer; each is compared once per process."""
    return _child.score({"solution": solution, "answer": answer}, text, boxed=boxed)


def process_results(doc: dict[str, Any], results: Sequence[str]) -> dict[str, float]:
    """lm-eval's hook: upstream's two metrics of one response."""
    return judged(doc["solution"], doc["answer"], results[0], False).metrics


def process_boxed(doc: dict[str, Any], results: Sequence[str]) -> dict[str, float]:
    """lm-eval's hook: upstream's `exact_match`, and `math_verify` of the last box alone (`tasks.mathreader`)."""
    return judged(doc["solution"], doc["answer"], results[0], True).metrics


def extracted_answer(doc: dict[str, Any], text: str, boxed: bool) -> str | None:
    """What `math_verify` compared of a text; None if it found nothing to compare."""
    return judged(doc["solution"], doc["answer"], text, boxed).extracted
