"""Real sweeps in real processes: forked from one that has loaded everything, so that a test can afford many."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from harness.runner.spec import RunSpec
from harness.sweep.progress import Board
from harness.sweep.run import run_sweep

# what ran, not what came out
MACHINE = ("seconds", "forwards_run", "positions_run", "tps", "tps_reused", "decode_seconds")


def preload() -> None:
    """Import what a sweep needs and register the tests' methods; forked children inherit it."""
    import lm_eval.evaluator  # noqa: F401
    import torch

    import harness.runner  # noqa: F401
    from tests.harness.launch import register

    torch.set_num_threads(1)
    register()


def specs(suite: str, out: Path, documents: int = 5, tasks: Sequence[str] = ("gsm8k",)) -> list[RunSpec]:
    """Two methods at two points on every task: 4 runs a task."""
    return [
        RunSpec(method, task, suite, {"threshold": threshold}, limit=documents, batch_size=4, out=str(out))
        for method in ("test_entropy", "test_other")
        for task in tasks
        for threshold in (0.0, 3.0)
    ]


def quiet() -> Console:
    return Console(file=open(os.devnull, "w"))


def sweep(plan: Sequence[RunSpec]) -> list[Any]:
    """The plan with the local executor, in this process."""
    from harness.sweep.local import Local

    with Board(len(plan), quiet()) as board:
        return run_sweep(plan, Local(), board)


@contextlib.contextmanager
def child(work: Callable[[], Any]) -> Iterator[int]:
    """`work` in a forked process; on leaving, the child is killed if it still runs, and reaped."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            os.setpgid(0, 0)
            work()
            code = 0
        except BaseException as error:
            print(f"child: {error!r}", file=sys.stderr)
        finally:
            os._exit(code)
    try:
        yield pid
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, 0)


def stored(out: Path) -> int:
    """Whole lines in all samples.jsonl of a store."""
    return sum(path.read_bytes().count(b"\n") for path in out.rglob("samples.jsonl"))


def kill_at(plan: Sequence[RunSpec], out: Path, samples: int, rng: random.Random) -> int:
    """Sweep in a child, SIGKILL it a random moment after `samples` lines are stored; how many were then there."""
    with child(lambda: sweep(plan)) as pid:
        while stored(out) < samples:
            if os.waitpid(pid, os.WNOHANG)[0]:
                raise AssertionError("the sweep ended before it could be killed")
            time.sleep(0.002)
        time.sleep(rng.expovariate(1 / 0.05))
        os.kill(pid, signal.SIGKILL)
    return stored(out)


def content(out: Path) -> dict[str, list[str]]:
    """Every run's lines as they are in the file, without what MACHINE names; a list ends with its summary's numbers."""
    found = {}
    for path in sorted(out.rglob("samples.jsonl")):
        lines = []
        for text in path.read_text(encoding="utf-8").splitlines():
            line = json.loads(text)
            lines.append(json.dumps({name: value for name, value in line.items() if name not in MACHINE}))
        summary = json.loads((path.parent / "summary.json").read_text(encoding="utf-8"))
        kept = {name: value for name, value in summary.items() if name not in MACHINE}
        # the id is left out: it holds the code's version, and a checkout may be edited while slow tests run
        kept.pop("run_id")
        name = f"{path.parent.parent.relative_to(out)} {json.dumps(kept['setting'])} {kept['seed']}"
        assert name not in found, "one setting, one run"
        found[name] = [*lines, json.dumps(kept, sort_keys=True)]
    return found


def differences(found: dict[str, list[str]], expected: dict[str, list[str]]) -> dict[str, int]:
    """Samples lost, doubled and otherwise different between two stores."""
    lost = doubled = changed = 0
    assert found.keys() == expected.keys()
    for run, lines in expected.items():
        mine, theirs = _by_doc(found[run]), _by_doc(lines)
        lost += sum(doc not in mine for doc in theirs)
        doubled += len(found[run]) - 1 - len(mine)
        changed += found[run] != lines
    return {"lost": lost, "doubled": doubled, "runs that differ": changed}


def _by_doc(lines: list[str]) -> dict[int, str]:
    return {json.loads(line)["doc_id"]: line for line in lines[:-1]}
