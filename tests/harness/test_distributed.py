"""Two real processes over gloo give the scores and counts of one; a group of one needs nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from harness.distributed import Group, join
from harness.errors import UserError
from methods.backbones import create, save
from tests.backbones.tiny import LLADA
from tests.harness import parallel_worker
from tests.harness.ranks import Ranks
from tests.harness.tiny import write_suite


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
def suite(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_suite(tmp_path_factory.mktemp("suite")))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("parallel")
    save(create(LLADA, 1), folder / "model")
    lines = [{"question": f"Is {n} odd? ", "label": n % 2} for n in range(7)]  # 7 over 2 ranks: one rank is padded
    (folder / "docs.jsonl").write_text("\n".join(map(json.dumps, lines)))
    return folder


def evaluate(work: Any, folder: Path, *arguments: Any) -> dict[str, Any]:
    """What the first of two processes writes; both must end well and leave the group."""
    out = folder / "two.json"
    with Ranks(2, folder / "ranks", work, *arguments, str(out)) as ranks:
        for ended in ranks.wait():
            assert ended.code == 0, ended.said[-3000:]
            assert "destroy_process_group" not in ended.said
    return json.loads(out.read_text())


def test_two_processes_give_the_points_of_one(world: Path) -> None:
    arguments = (str(world / "model"), str(world / "docs.jsonl"))
    two = evaluate(parallel_worker.score, world, *arguments)
    parallel_worker.score(0, *arguments, str(world / "one.json"))
    one = json.loads((world / "one.json").read_text())
    assert two["acc"] == one["acc"]
    assert len(one["counts"]) == 7
    assert two["counts"] == one["counts"]
    for doc, answers in one["samples"].items():  # a request that padded a rank carries its answer twice
        for mine, other in zip(answers, two["samples"][doc], strict=True):
            assert mine[0][0] == pytest.approx(other[0][0], rel=1e-5), "batches of other shapes may round otherwise"
            assert mine[0][1] == other[0][1]


def counts(path: Path) -> list[dict[str, Any]]:
    """Lines of counts without times."""
    lines = map(json.loads, path.read_text().splitlines())
    return [{name: value for name, value in line.items() if name != "seconds"} for line in lines]


def test_two_processes_decode_what_one_does(suite: str, tmp_path: Path) -> None:
    two = evaluate(parallel_worker.generate, tmp_path, suite, 7)
    parallel_worker.generate(0, suite, 7, str(tmp_path / "one.json"))
    one = json.loads((tmp_path / "one.json").read_text())
    assert len(one["texts"]) == 7
    # lm-eval sums its standard error in the order of the ranks
    assert two.pop("scores") == pytest.approx(one.pop("scores"))
    assert two == one
    assert one["counted"]["tpf"] == one["counted"]["tokens"] / one["counted"]["forwards"]
    first, second = counts(tmp_path / "two.json.counts.jsonl"), counts(tmp_path / "two.json.counts.rank1.jsonl")
    assert (len(first), len(second)) == (4, 3), "7 documents over 2 processes; the one that pads is not counted"
    alone = counts(tmp_path / "one.json.counts.jsonl")
    assert sorted([*first, *second], key=lambda line: line["doc_id"]) == sorted(alone, key=lambda line: line["doc_id"])
