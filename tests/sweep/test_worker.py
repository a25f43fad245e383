"""Worker and sink without a cluster: what is streamed is what is stored, and a lost worker is continued."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from harness.store import RunFolder
from harness.sweep.cluster import _absolute
from harness.sweep.grid import Group
from harness.sweep.progress import Board
from harness.sweep.sink import Sink
from harness.sweep.worker import Worker
from tests.harness.tiny import write_suite
from tests.sweep import sweeping


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> str:
    sweeping.preload()
    return str(write_suite(tmp_path_factory.mktemp("suite")))


@pytest.fixture(scope="module")
def local(suite: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    out = tmp_path_factory.mktemp("local")
    sweeping.sweep(sweeping.specs(suite, out)[:2])
    return sweeping.content(out)


@pytest.fixture(scope="module")
def worker() -> Worker:
    return Worker(False, ["harness", "sweep"])


def board() -> Board:
    return Board(2, Console(file=open(os.devnull, "w")))


def deliver(worker: Worker, sink: Sink, group: Group, stop_after: int | None = None) -> list[Any]:
    """Hand the worker's messages to the sink; stop as if the worker died after that many samples."""
    outcomes, samples = [], 0
    for message in worker.work(Group(group.checkpoint, tuple(map(_absolute, group.specs))), sink.stored()):
        outcomes += sink.take(message)
        samples += message[0] == "sample"
        if samples == stop_after:
            sink.close()
            break
    return outcomes


def test_streamed_runs_equal_local_ones(
    suite: str, tmp_path: Path, worker: Worker, local: dict[str, list[str]]
) -> None:
    group = Group("base", tuple(sweeping.specs(suite, tmp_path)[:2]))
    outcomes = deliver(worker, Sink(group, board(), False), group)
    assert [outcome.state for outcome in outcomes] == ["done", "done"]
    assert all(outcome.spec in group.specs for outcome in outcomes)
    assert sweeping.content(tmp_path) == local
    run = RunFolder(outcomes[0].folder.path).run()
    assert run["sessions"][-1]["command"] == ["harness", "sweep"]


def test_another_worker_takes_up_what_has_arrived(suite: str, tmp_path: Path, local: dict[str, list[str]]) -> None:
    group = Group("base", tuple(sweeping.specs(suite, tmp_path)[:2]))
    sink = Sink(group, board(), False)
    deliver(Worker(False, ["harness", "sweep"]), sink, group, stop_after=3)
    assert sweeping.stored(tmp_path) == 3
    left = sink.unfinished()
    assert left == list(group.specs)
    rest = Group("base", tuple(left))
    outcomes = deliver(Worker(False, ["harness", "sweep"]), Sink(rest, board(), False), rest)
    assert sum(outcome.new for outcome in outcomes) == 10 - 3
    assert sweeping.content(tmp_path) == local


def test_a_finished_run_is_not_decoded_again(suite: str, tmp_path: Path, worker: Worker) -> None:
    group = Group("base", tuple(sweeping.specs(suite, tmp_path)[:2]))
    deliver(worker, Sink(group, board(), False), group)
    again = deliver(Worker(False, ["harness", "sweep"]), Sink(group, board(), False), group)
    assert {(outcome.state, outcome.new) for outcome in again} == {("stored", 0)}


def test_a_busy_run_fails_alone(
    suite: str, tmp_path: Path, worker: Worker, monkeypatch: pytest.MonkeyPatch, local: dict[str, list[str]]
) -> None:
    from harness.store import folder as store

    group = Group("base", tuple(sweeping.specs(suite, tmp_path)[:2]))
    deliver(worker, Sink(group, board(), False), group, stop_after=1)
    (begun,) = [RunFolder(path.parent) for path in tmp_path.rglob("samples.jsonl")]
    monkeypatch.setattr(store, "LOCK_WAIT", 0.1)
    monkeypatch.setattr(RunFolder.open, "__kwdefaults__", {"wait": 0.1})
    with begun.open(begun.run()):
        outcomes = deliver(Worker(False, ["harness", "sweep"]), Sink(group, board(), False), group)
    states = {outcome.state: outcome.error for outcome in outcomes}
    assert set(states) == {"done", "failed"}
    assert "is being written by" in states["failed"]


def test_rest_names_why(suite: str, tmp_path: Path) -> None:
    group = Group("base", tuple(sweeping.specs(suite, tmp_path)[:2]))
    outcomes = Sink(group, board(), False).rest("gone")
    assert [(outcome.state, outcome.error) for outcome in outcomes] == [("failed", "gone")] * 2
