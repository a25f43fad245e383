"""Two real processes over gloo give the scores and counts of one; a group of one needs nothing."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from harness.distributed import Group, join
from harness.errors import UserError
from methods.backbones import create, save
from tests.backbones import parallel_worker
from tests.backbones.tiny import LLADA


def test_a_group_of_one() -> None:
    group = join()
    assert (group.rank, group.world_size, group.device("auto")) == (0, 1, "auto")
    assert group.all_gather(torch.tensor(3)).tolist() == [3]
    assert group.gather_object("x") == ["x"]
    assert group.union({1: 2}) == {1: 2}
    group.barrier()


def test_half_an_environment_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.delenv("RANK", raising=False)
    with pytest.raises(UserError, match=r"RANK, .*torchrun --nproc_per_node"):
        join()


def test_each_process_gets_its_own_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    assert Group(5, 8, 5).device("auto") == "cuda:1"
    assert Group(5, 8, 5).device("cpu") == "cpu"
    assert Group(0, 1, 0).device("auto") == "auto"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("parallel")
    save(create(LLADA, 1), folder / "model")
    lines = [{"question": f"Is {n} odd? ", "label": n % 2} for n in range(7)]  # 7 over 2 ranks: one rank is padded
    (folder / "docs.jsonl").write_text("\n".join(map(json.dumps, lines)))
    return folder


def evaluate(world: Path, processes: int) -> dict:
    """What torchrun does, without its own process: one child per rank, the group's address in the environment."""
    out = world / f"out{processes}.json"
    words = [sys.executable, "-m", "tests.backbones.parallel_worker"]
    words += [str(world / "model"), str(world / "docs.jsonl"), str(out)]
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    children = []
    for rank in range(processes):
        room = os.environ | {
            "RANK": str(rank),
            "LOCAL_RANK": str(rank),
            "WORLD_SIZE": str(processes),
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": port,
            "OMP_NUM_THREADS": "1",
            "HF_HUB_OFFLINE": "1",
            "HF_DATASETS_CACHE": str(world / f"cache{processes}-{rank}"),
            "PYTHONPATH": str(Path(__file__).parents[2]),
        }
        children.append(subprocess.Popen(words, env=room, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True))
    for child in children:
        errors = child.communicate(timeout=300)[1]
        assert child.returncode == 0, errors[-3000:]
        assert "destroy_process_group" not in errors
    return json.loads(out.read_text())


def alone(world: Path) -> dict:
    parallel_worker.main(str(world / "model"), str(world / "docs.jsonl"), str(world / "out1.json"))
    return json.loads((world / "out1.json").read_text())


def test_two_processes_give_the_points_of_one(world: Path) -> None:
    two, one = evaluate(world, 2), alone(world)
    assert two["acc"] == one["acc"]
    assert len(one["counts"]) == 7
    assert two["counts"] == one["counts"]
    for doc, answers in one["samples"].items():  # a request that padded a rank carries its answer twice
        assert [mine[0] for mine in two["samples"][doc]] == [mine[0] for mine in answers]
