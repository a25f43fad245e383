"""`harness sweep` and `harness merge` as a user gives them, on a tiny checkpoint with random weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from harness.cli import app
from tests.harness.tiny import write_suite
from tests.sweep import broken, sweeping


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> str:
    sweeping.preload()
    broken.register()
    return str(write_suite(tmp_path_factory.mktemp("suite")))


def call(*words: str) -> Any:
    return CliRunner().invoke(app, list(words))


def sweep(suite: str, out: Path, *words: str) -> Any:
    common = ("--suite", suite, "--tasks", "gsm8k", "--limit", "3", "--out", str(out), "--calibrate", "0")
    return call("sweep", *common, *words)


def test_a_dry_run_estimates_and_writes_nothing(suite: str, tmp_path: Path) -> None:
    out = tmp_path / "runs"
    result = sweep(suite, out, "--methods", "test_entropy", "--dry-run", "--json", "--calibrate", "2")
    assert result.exit_code == 0, result.stderr
    slow, fast = json.loads(result.stdout)["plan"]
    assert (slow["setting"], slow["documents"], slow["remaining"]) == ("threshold=0.0", 3, 3)
    assert slow["forwards"] == 3 * 16, "one token per forward, 16 tokens a document"
    assert fast["forwards"] < slow["forwards"]
    assert not out.exists()


def test_the_estimate_is_what_the_run_takes(suite: str, tmp_path: Path) -> None:
    """Calibrated on every document, the estimate of forwards is exact; what is done costs nothing."""
    words = ("--methods", "test_entropy", "--json")
    (slow, fast) = json.loads(sweep(suite, tmp_path, *words, "--dry-run", "--calibrate", "3").stdout)["plan"]
    assert sweep(suite, tmp_path, *words, "--points", "0.0").exit_code == 0
    assert sweep(suite, tmp_path, *words, "--points", "3.0").exit_code == 0
    summaries = [json.loads(path.read_text()) for path in tmp_path.rglob("summary.json")]
    found = {str(summary["setting"]["threshold"]): summary["forwards"] for summary in summaries}
    assert found == {"0.0": slow["forwards"], "3.0": fast["forwards"]}
    after = json.loads(sweep(suite, tmp_path, *words, "--dry-run", "--calibrate", "3").stdout)["plan"]
    assert [(row["remaining"], row["forwards"], row["state"]) for row in after] == [(0, 0, "finished")] * 2


def test_one_curve_that_cannot_be_measured_does_not_stop_the_plan(
    suite: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from harness.sweep import estimate

    original = estimate._measure

    def measure(jobs: Any, *rest: Any) -> Any:
        if jobs[0].spec.method == "test_other":
            raise ZeroDivisionError("a bug in one curve")
        return original(jobs, *rest)

    monkeypatch.setattr(estimate, "_measure", measure)
    result = sweep(suite, tmp_path, "--methods", "test_other,test_entropy", "--dry-run", "--json", "--calibrate", "1")
    assert result.exit_code == 0, result.exception
    states = [(row["method"], row["state"]) for row in json.loads(result.stdout)["plan"]]
    assert states == [("test_other", "would fail: a bug in one curve")] * 2 + [("test_entropy", "planned")] * 2


def test_failures_do_not_stop_the_rest(suite: str, tmp_path: Path) -> None:
    result = sweep(suite, tmp_path, "--methods", "test_nowhere,test_poisoned,test_entropy", "--json")
    assert result.exit_code == 1
    runs = json.loads(result.stdout)["runs"]
    states = {(run["method"], run["setting"]): run["state"] for run in runs}
    assert [state for state in states.values() if state == "done"] == ["done"] * 4
    assert "ZeroDivisionError: a bug in one setting" in states["test_poisoned", "threshold=9.0"]
    assert "missing" in states["test_nowhere", "threshold=0.0"]
    assert "2 of 6 runs failed:" in result.stderr
    assert "harness run --method test_poisoned" in result.stderr


def test_shards_and_merge_are_the_whole(suite: str, tmp_path: Path) -> None:
    words = ("--methods", "test_entropy,test_other")
    for part in ("1", "2", "3"):
        assert sweep(suite, tmp_path / part, *words, "--shard", f"{part}/3").exit_code == 0
    assert sweep(suite, tmp_path / "whole", *words).exit_code == 0
    merged = tmp_path / "merged"
    parts = [str(tmp_path / part) for part in ("1", "2", "3")]
    result = call("merge", *parts, "--out", str(merged), "--json")
    assert json.loads(result.stdout)["runs"] == 4
    assert json.loads(result.stdout)["samples"] == 12
    assert sweeping.content(merged) == sweeping.content(tmp_path / "whole")
    again = json.loads(call("merge", *parts, "--out", str(merged), "--json").stdout)
    assert (again["runs"], again["samples"]) == (0, 0)
    assert sweep(suite, merged, *words, "--json").exit_code == 0
    assert {run["state"] for run in json.loads(sweep(suite, merged, *words, "--json").stdout)["runs"]} == {"stored"}


def test_seeds_are_combined(suite: str, tmp_path: Path) -> None:
    result = sweep(suite, tmp_path, "--methods", "test_entropy", "--points", "3.0", "--seeds", "0,1", "--json")
    document = json.loads(result.stdout)
    assert len(document["runs"]) == 2
    (row,) = document["seeds"]
    assert (row["seeds"], row["between_seeds_sd"]) == (2, 0.0), "greedy decoding does not depend on the seed"


def test_refine_adds_points_and_continues(suite: str, tmp_path: Path) -> None:
    words = ("--methods", "test_entropy", "--refine", "0.5", "--refine-budget", "3", "--json")
    runs = json.loads(sweep(suite, tmp_path, *words).stdout)["runs"]
    assert len(runs) > 2
    assert len(runs) <= 5
    again = json.loads(sweep(suite, tmp_path, *words).stdout)["runs"]
    assert [run["run"] for run in again] == [run["run"] for run in runs]
    assert {run["state"] for run in again} == {"stored"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--methods", "test_entorpy"), "Did you mean 'test_entropy'"),
        (("--methods", "test_entropy", "--points", "-1"), "threshold=-1 is not allowed"),
        (("--methods", "test_entropy", "--set", "tresh=1"), "Did you mean 'threshold'"),
        (("--methods", "test_entropy", "--set", "threshold"), "not KEY=VALUE"),
        (("--methods", "test_entropy", "--seeds", "a"), "list of integers"),
        (("--methods", "test_entropy", "--shard", "3/3"), "holds none of the 2 runs"),
        (("--methods", "test_entropy", "--executor", "rai"), "Did you mean 'ray'"),
    ],
)
def test_mistakes_are_found_before_anything_runs(suite: str, tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    result = sweep(suite, tmp_path / "runs", *words)
    assert getattr(result.exception, "exit_code", None) == 2
    assert said in str(result.exception)
    assert not (tmp_path / "runs").exists()
