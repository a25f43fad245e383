"""Two sweeps of one store: busy runs are passed over, waited for, and end up whole; `--no-wait` fails them at once."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from harness.runner.execute import Outcome
from harness.runner.spec import RunSpec
from harness.runner.state import failed
from harness.store import BusyError, RunFolder
from harness.sweep import Group
from harness.sweep.progress import Board
from harness.sweep.run import run_sweep
from tests.harness.samples import make_run

PLAN = [RunSpec("tad_speed", "gsm8k", settings={"threshold": value}) for value in (0.1, 0.5, 0.9)]


class Store:
    """An executor whose middle run is written by another one for a moment; `order` says what ran when."""

    def __init__(self, path: Path) -> None:
        self.path, self.order = path, []  # type: ignore[var-annotated]

    def __call__(self, asked: Sequence[Group], board: Board) -> list[Outcome]:
        found = []
        for spec in (spec for group in asked for spec in group.specs):
            outcome = self._one(spec)
            board.ends(outcome)
            found.append(outcome)
        return found

    def _one(self, spec: RunSpec) -> Outcome:
        self.order.append(spec.settings["threshold"])
        if spec is PLAN[1]:
            try:
                with RunFolder(self.path).open(make_run(), wait=0):
                    pass
            except BusyError as error:
                return failed(spec, error)
        return Outcome(spec, "done", summary={"accuracy": 50.0, "tpf": 2.0, "n_samples": 1, "errors": 0})

    def close(self) -> None: ...


@pytest.fixture
def held(tmp_path: Path) -> Any:
    """A run that another process (here: another lock) writes for half a second."""
    path, ready = tmp_path / "run", threading.Event()

    def hold() -> None:
        with RunFolder(path).open(make_run()):
            ready.set()
            time.sleep(0.5)

    thread = threading.Thread(target=hold)
    thread.start()
    ready.wait()
    yield path
    thread.join()


def sweep(path: Path, wait: bool) -> tuple[Store, list[Outcome], str]:
    store, log = Store(path), io.StringIO()
    with Board(len(PLAN), Console(file=log, width=300)) as board:
        outcomes = run_sweep(PLAN, store, board, wait=wait)
    return store, outcomes, log.getvalue()


def test_a_busy_run_is_waited_for_when_the_others_are_done(held: Path) -> None:
    store, outcomes, log = sweep(held, wait=True)
    assert store.order == [0.1, 0.5, 0.9, 0.5]
    assert [outcome.spec for outcome in outcomes] == PLAN
    assert [outcome.state for outcome in outcomes] == ["done"] * 3
    assert "another process is writing it" in log
    assert "waiting for tad_speed gsm8k threshold=0.5" in log
    assert "--no-wait" in log
    assert "FAILED" not in log
    assert "[3/3]" in log


def test_no_wait_fails_it_at_once(held: Path) -> None:
    started = time.monotonic()
    store, outcomes, log = sweep(held, wait=False)
    assert time.monotonic() - started < 0.5
    assert store.order == [0.1, 0.5, 0.9]
    assert [outcome.state for outcome in outcomes] == ["done", "failed", "done"]
    assert "is being written by" in log


def test_folders_of_killed_workers_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from filelock import FileLock

    from harness.sweep import worker

    monkeypatch.setattr(worker.tempfile, "gettempdir", lambda: str(tmp_path))
    dead, alive = tmp_path / "harness-worker-dead", tmp_path / "harness-worker-alive"
    for folder in (dead, alive):
        folder.mkdir()
        (folder / worker.LOCK).touch()
    with FileLock(alive / worker.LOCK):
        worker.sweep_folders()
    assert not dead.exists()
    assert alive.exists()


def test_a_ray_that_does_not_start_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    from harness.errors import UserError
    from harness.sweep import cluster

    def late(**options: Any) -> None:
        raise Exception("The current node timed out during startup.\nThis could happen because ...")

    monkeypatch.setattr(cluster, "_ray", lambda: SimpleNamespace(is_initialized=lambda: False, init=late))
    with pytest.raises(UserError, match=r"local Ray does not start \(Exception: The current node timed out.*local"):
        cluster.Cluster()
