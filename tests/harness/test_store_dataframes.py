"""`harness.load_runs`: typed columns, several stores, refusals, and the memory benchmark at a small size."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import harness
from harness.errors import UsageError
from harness.metrics import summarise
from harness.store import RunFolder, StoreError
from tests.harness.samples import make_run, make_sample


def write(place: Path, samples: int, finish: bool = True, **changes: object) -> RunFolder:
    run = make_run(**changes)
    with RunFolder(place / run["suite"] / run["method"] / run["task"] / run["run_id"]).open(run) as folder:
        for doc_id in range(samples):
            folder.append(make_sample(doc_id))
        if finish:
            folder.finish(summarise(run, folder.samples()))
    return folder


def test_runs_points_and_samples(tmp_path: Path) -> None:
    for seed in (0, 1):
        write(tmp_path, 5, seed=seed)
    write(tmp_path, 2, finish=False, method="d3llm", setting={"threshold": 0.9}, axis_value=0.9)
    runs, points, samples = harness.load_runs(tmp_path)
    assert (len(runs), len(points), len(samples)) == (3, 2, 12)
    assert list(runs["finished"]) == [False, True, True]
    assert points["accuracy"].tolist() == [40.0, 40.0]
    assert set(points["source"]) == {"run"}
    assert points["acc_lo"].iloc[0] < 40.0 < points["acc_hi"].iloc[0]
    assert json.loads(runs["setting"].iloc[0]) == {"threshold": 0.9}
    one = samples[samples["run_id"] == points["run_id"].iloc[0]]
    assert one["tokens"].sum() / one["forwards"].sum() == points["tpf"].iloc[0]
    assert (samples["forwards"] == samples["prefill"] + samples["denoise"] + samples["refresh"]).all()
    assert {str(kind) for kind in samples[["method", "outcome", "run_id"]].dtypes} == {"category"}


def test_several_stores_and_a_run_that_is_in_both(tmp_path: Path) -> None:
    write(tmp_path / "a", 3)
    write(tmp_path / "b", 3)
    write(tmp_path / "b", 3, seed=1)
    assert len(harness.load_runs([tmp_path / "a", tmp_path / "b"]).runs) == 2
    assert len(harness.load_runs(write(tmp_path / "c", 4).path).samples) == 4


def test_an_empty_store_gives_empty_frames_and_a_missing_one_a_sentence(tmp_path: Path) -> None:
    runs, points, samples = harness.load_runs(tmp_path)
    assert (len(runs), len(points), len(samples)) == (0, 0, 0)
    assert "tokens" in samples.columns
    with pytest.raises(UsageError, match="There is no folder"):
        harness.load_runs(tmp_path / "nowhere")


@pytest.mark.parametrize("where", [0, 3, 20_001])
def test_a_corrupt_line_is_named_wherever_it_is(tmp_path: Path, where: int) -> None:
    folder = write(tmp_path, 0, finish=False)
    lines = [json.dumps(make_sample(doc_id)) for doc_id in range(where)]
    lines += ['{"doc_id": ', json.dumps(make_sample(where + 1))]
    (folder.path / "samples.jsonl").write_text("\n".join(lines) + "\n")
    with pytest.raises(StoreError, match=f"line {where + 1} is corrupt"):
        harness.load_runs(tmp_path)


def test_a_torn_end_and_a_repeated_document(tmp_path: Path) -> None:
    folder = write(tmp_path, 4, finish=False)
    file = folder.path / "samples.jsonl"
    file.write_bytes(file.read_bytes()[:-9])
    assert len(harness.load_runs(tmp_path).samples) == 3
    text = file.read_text().splitlines()[:3]
    file.write_text("\n".join([*text, text[0]]) + "\n")
    with pytest.raises(StoreError, match="line 4 repeats document 0"):
        harness.load_runs(tmp_path)


def test_a_run_set_aside_is_not_loaded(tmp_path: Path) -> None:
    write(tmp_path, 2).set_aside()
    assert len(harness.load_runs(tmp_path).runs) == 0


@pytest.mark.slow
def test_a_million_samples_load_in_a_gigabyte(capfd: pytest.CaptureFixture[str]) -> None:
    import re

    from benchmarks import store

    store.main()
    peak = float(re.findall(r" s \(.*peak ([\d.]+) GB", capfd.readouterr().out)[0])
    assert peak < 1
