"""The Ray executor on a real local cluster of two nodes: the local executor's store, even when a node is killed."""

from __future__ import annotations

import io
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from harness.errors import UserError
from harness.sweep import groups
from harness.sweep.progress import Board
from harness.sweep.run import run_sweep
from tests.harness.tiny import write_suite
from tests.sweep import sweeping

ray = pytest.importorskip("ray")
MEMORY = 80 * 2**20
TASKS = ("gsm8k", "math")


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> str:
    sweeping.preload()
    return str(write_suite(tmp_path_factory.mktemp("suite")))


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A head node without CPUs for workers and two nodes of one CPU each; `.second` is the one to kill."""
    from ray.cluster_utils import Cluster

    from tests.harness.launch import register

    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    quiet = {"object_store_memory": MEMORY, "include_dashboard": False}
    found = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, **quiet})
    found.first, found.second = (found.add_node(num_cpus=1, object_store_memory=MEMORY) for _ in range(2))
    ray.init(address=found.address, runtime_env={"worker_process_setup_hook": register}, log_to_driver=False)
    yield found
    ray.shutdown()
    found.shutdown()


def run(plan: list[Any], shared: bool) -> tuple[list[Any], str]:
    """The plan on the cluster; outcomes and what was said."""
    from harness.sweep.cluster import Cluster

    log = io.StringIO()
    with Board(len(plan), Console(file=log, width=200)) as board:
        outcomes = run_sweep(plan, Cluster(gpus=0, cpus=1, shared=shared), board)
    return outcomes, log.getvalue()


def kill_after(cluster: Any, out: Path, samples: int) -> threading.Thread:
    """Kill the second node (its raylet and workers) as soon as `samples` lines are stored."""

    def work() -> None:
        while sweeping.stored(out) < samples:
            time.sleep(0.01)
        cluster.remove_node(cluster.second, allow_graceful=False)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


@pytest.mark.slow
@pytest.mark.parametrize("shared", [False, True], ids=["driver", "shared"])
def test_a_node_is_killed_in_the_middle(
    suite: str, cluster: Any, tmp_path: Path, shared: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    local, out = tmp_path / "local", tmp_path / "ray"
    sweeping.sweep(sweeping.specs(suite, local, documents=24))
    plan = sweeping.specs(suite, out, documents=24)
    killer = kill_after(cluster, out, samples=30)
    outcomes, log = run(plan, shared)
    killer.join(timeout=60)
    alive = sum(node["Alive"] for node in ray.nodes())
    difference = sweeping.differences(sweeping.content(out), sweeping.content(local))
    with capsys.disabled():
        print(f"\nstore written by {'workers' if shared else 'the driver'}; nodes alive at the end: {alive} of 3")
        print(log + f"against the local executor: {difference}")
    assert [outcome.spec for outcome in outcomes] == plan
    assert {outcome.state for outcome in outcomes} <= {"done", "stored"}
    assert alive == 2
    assert "a worker was lost" in log
    assert difference == {"lost": 0, "doubled": 0, "runs that differ": 0}
    again, _ = run(plan, shared)
    assert {(outcome.state, outcome.new) for outcome in again} == {("stored", 0)}


@pytest.mark.slow
def test_what_does_not_fit_is_said(cluster: Any) -> None:
    from harness.sweep.cluster import Cluster

    with pytest.raises(UserError, match=r"lower --ray-gpus"):
        Cluster(gpus=1, cpus=1)


def test_units_keep_all_workers_busy(suite: str, tmp_path: Path) -> None:
    from harness.sweep.cluster import _units

    found = groups(sweeping.specs(suite, tmp_path, tasks=TASKS))
    assert [len(unit.specs) for unit in _units(found, 2)] == [2] * 4
    assert [len(unit.specs) for unit in _units(found, 3)] == [1] * 8


def test_a_lost_worker_is_reported_with_the_exception_of_its_start() -> None:
    from harness.sweep.cluster import _reason

    start = "The actor died because of an error raised in its creation task, Worker()\n  File x\nRuntimeError: no model"
    assert _reason(RuntimeError(start)) == "RuntimeError: no model"
    assert _reason(RuntimeError("The actor died.\n\tname: Worker")) == "The actor died."
    assert _reason(RuntimeError("")) == "RuntimeError"


def test_without_ray_there_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    from harness.sweep.cluster import Cluster

    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UserError, match=r"pip install '\.\[ray\]'"):
        Cluster()


@pytest.fixture(autouse=True)
def no_stray_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    """A RAY_ADDRESS of the machine is none of the tests' business."""
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    os.environ.setdefault("RAY_DEDUP_LOGS", "0")
