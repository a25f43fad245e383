"""Scores of MATH answers: lm-eval's Minerva scorer in a child process with a clock.

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
from typing import Any

from tasks.errors import TasksError

SECONDS = 30.0  # for one answer; upstream's own limits (5 s each) are reached first
STARTUP = 120.0
# our folder comes last on the child's import path and the current one not at all: it may hold a tasks.py
START = "import runpy, sys; sys.path.append(sys.argv.pop(1)); runpy.run_module('tasks.mathchild', run_name='__main__')"
WRONG = {"exact_match": 0.0, "math_verify": 0.0}


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

    def score(self, doc: dict[str, Any], text: str, seconds: float = SECONDS) -> dict[str, float]:
        """`exact_match` and `math_verify` of a text; both 0 if the comparison takes longer than `seconds`."""
        with self._lock:
            process = self._started()
            job = {"solution": doc["solution"], "answer": doc["answer"], "text": text}
            assert process.stdin is not None
            process.stdin.write(json.dumps(job).encode() + b"\n")
            process.stdin.flush()
            said = self._line(seconds)
            if said is None:
                self.close()
                return dict(WRONG)
            return {name: float(said[name]) for name in WRONG}

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
def _scored(solution: str, answer: str, text: str) -> tuple[tuple[str, float], ...]:
    return tuple(_child.score({"solution": solution, "answer": answer}, text).items())


def process_results(doc: dict[str, Any], results: Sequence[str]) -> dict[str, float]:
    """lm-eval's hook: upstream's two metrics of one response; the same answer is compared once per process."""
    return dict(_scored(doc["solution"], doc["answer"], results[0]))


def extracted_answer(text: str) -> str | None:
    """The answer a reader would see: the last `\\boxed{}`, else the final-answer sentence, else None."""
    from lm_eval.tasks.minerva_math.utils import get_unnormalized_answer, last_boxed_only_string, remove_boxed

    boxed = last_boxed_only_string(text)
    if boxed is not None:
        try:
            return str(remove_boxed(boxed))
        except AssertionError:  # \fbox
            return str(boxed)
    final = get_unnormalized_answer(text)
    return None if final == "[invalidanswer]" else str(final)
