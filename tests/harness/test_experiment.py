"""An experiment file means the same plan as the flags it was made from; its mistakes are named by line."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.errors import UsageError
from harness.experiment import TEMPLATE, experiment_text, read
from harness.runner.spec import RunSpec
from harness.store import find_runs
from harness.sweep import Grid, parse_points
from harness.sweep.run import make_plan
from tests.harness.verbs import in_process

GRIDS = [
    Grid(RunSpec("", ""), ["tad_speed", "ar"], ["gsm8k"]),
    Grid(RunSpec("", "", limit=0.1, batch_size=4), ["d3llm", "vanilla"], [], parse_points("0.5,1.0;vanilla=4")),
    Grid(RunSpec("", "", dtype="float32", label="mine {method}"), ["multi_block"], ["math"], seeds=(0, 2)),
    Grid(RunSpec("", ""), ["tad_speed"], ["mbpp"], settings={"block_size": "8", "gen_length": "32"}),
    Grid(RunSpec("", "", samples="1,3-4", checkpoint="some/where", adapter="a"), ["tad_quality"], ["gsm8k"]),
]


def write(folder: Path, text: str) -> Path:
    file = folder / "experiment.yaml"
    file.write_text(text, encoding="utf-8")
    return file


@pytest.mark.parametrize("grid", GRIDS, ids=lambda grid: grid.methods[0])
def test_the_file_for_some_flags_means_their_plan(grid: Grid, tmp_path: Path) -> None:
    text = experiment_text(grid)
    assert not re.search(r"'[\d.]+'", text), "numbers are numbers, not texts"
    plan = read(write(tmp_path, text)).plan()
    assert plan == make_plan(grid), text


def test_the_template_is_a_plan(tmp_path: Path, capsys: Any) -> None:
    code, _, _ = in_process(capsys, "init", str(tmp_path / "e.yaml"))
    assert code == 0
    specs = read(tmp_path / "e.yaml").plan()
    assert [spec.method for spec in specs] == ["multi_block"] * 6 + ["tad_speed"] * 3
    assert {spec.limit for spec in specs} == {50}
    code, _, said = in_process(capsys, "init", str(tmp_path / "e.yaml"))
    assert (code, "exists and is left as it is" in said) == (2, True)
    assert (tmp_path / "e.yaml").read_text(encoding="utf-8") == TEMPLATE


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("seeds: [0]", "seds: [0]", r"line 16: Unknown key 'seds'. Did you mean 'seeds'"),
        ("points: [0.1", "point: [0.1", r"line 10: Unknown key 'point'. Did you mean 'points'"),
        ("method: tad_speed", "method: tad_sped", r"line 9: Unknown method 'tad_sped'. Did you mean 'tad_speed'"),
        ("tasks: [gsm8k]", "tasks: [gsm9k]", r"line 8: Unknown task .* Did you mean 'gsm8k'"),
        ("tasks: [gsm8k]", "tasks: gsm8k", r"line 5: tasks is a list"),
        ("points: [0.1, 0.3, 0.5]", "points: [-1]", r"line 9: threshold=-1 is not allowed"),
        ("limit: 50", "limit: fifty", r"line 15: limit is a number of documents"),
        ("limit: 50", "limit: -5", r"line 8: --limit -5 is not allowed"),
        ("batch_size: 16", "batch_size: many", r"line 17: batch_size is an integer"),
        ("executor: local", "executor: loca", r"line 23: Unknown executor 'loca'. Did you mean 'local'"),
        ("seeds: [0]", "seeds: [a]", r"line 16: seeds is a list of integers"),
        ("suite: mini", "suite: [mini", r"line 5: not valid YAML"),
    ],
)
def test_a_mistake_is_named_by_file_and_line(old: str, new: str, said: str, tmp_path: Path) -> None:
    assert old in TEMPLATE
    file = write(tmp_path, TEMPLATE.replace(old, new))
    with pytest.raises(UsageError, match=said) as caught:
        read(file).plan()
    assert str(caught.value).startswith(str(file))


@pytest.mark.parametrize("text", ["", "rows: []\n", "- a\n", "suite: mini\n", "rows: [[1]]\n", "rows: [{label: x}]\n"])
def test_what_is_no_experiment_is_one_sentence(text: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"experiment\.yaml"):
        read(write(tmp_path, text)).plan()


def test_a_sweep_from_a_file_keeps_the_file_with_its_runs(suite: str, tmp_path: Path, capsys: Any) -> None:
    rows = "rows:\n- {method: test_entropy, points: [0.0]}\n- {method: test_entropy, label: other, points: [3.0]}\n"
    file = write(tmp_path, f"suite: {suite}\ntasks: [gsm8k]\n{rows}limit: 2\nout: {tmp_path}/runs\n")
    code, out, said = in_process(capsys, "sweep", "--config", str(file), "--calibrate", "0", "--json")
    assert code == 0, said
    assert [row["setting"] for row in json.loads(out)["runs"]] == ["threshold=0.0", "threshold=3.0"]
    runs = find_runs(tmp_path / "runs")
    assert sorted(str(run.run().get("label")) for run in runs) == ["None", "other"]
    (kept,) = (tmp_path / "runs" / "experiments").iterdir()
    assert kept.read_text(encoding="utf-8") == file.read_text(encoding="utf-8")
    code, _, said = in_process(capsys, "sweep", "--config", str(file), "--methods", "test_entropy")
    assert (code, "--methods does not go with --config" in said) == (2, True)
    code, _, said = in_process(capsys, "run", "--config", str(file))
    assert (code, "means 2 runs; harness sweep --config" in said) == (2, True)


def test_a_run_says_its_file_and_runs_from_it(suite: str, tmp_path: Path, capsys: Any) -> None:
    flags = ["--method", "test_entropy", "--task", "gsm8k", "--suite", suite, "--out", str(tmp_path / "runs")]
    code, text, said = in_process(capsys, "run", *flags, "--limit", "5", "--set", "block_size=4", "--print-config")
    assert code == 0, said
    file = write(tmp_path, text)
    (spec,) = read(file).plan()
    assert (spec.settings, spec.limit) == ({"threshold": 3.0, "block_size": 4}, 5)
    assert replace(spec, settings={}) == RunSpec(
        "test_entropy", "gsm8k", suite=suite, limit=5, out=str(tmp_path / "runs")
    )
    code, out, said = in_process(capsys, "run", "--config", str(file), "--limit", "2", "--json")
    assert (code, json.loads(out)["n_samples"]) == (0, 2), said
