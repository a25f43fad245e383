"""What is shipped hangs together: weights and their manifests, the mini leaderboard and its points."""

from __future__ import annotations

import csv
import json
import statistics
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.regenerate.plan import RECIPES
from harness.suites import FOLDER
from methods import registry
from methods.backbones.files import fingerprint
from reports.aup import aup
from tasks.mini import TASKS

ROOT = Path(__file__).parents[1]
WEIGHTS = ROOT / "methods" / "weights" / "mini"
RESULTS = ROOT / "results" / "mini"
TRAINED = tuple(RECIPES)


def manifest(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((WEIGHTS / name / "manifest.json").read_text(encoding="utf-8"))
    return found


def table(name: str) -> list[dict[str, str]]:
    with (RESULTS / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("name", ["base", "ar", *TRAINED])
def test_a_manifest_says_how_to_make_the_weights_again(name: str) -> None:
    made = manifest(name)
    assert {"command", "seed", "steps", "loss", "data", "hardware", "versions"} <= set(made)
    assert made["command"].startswith("harness ")
    assert "/tmp" not in json.dumps(made)
    assert (WEIGHTS / name / "model.safetensors").stat().st_size < 5_000_000


@pytest.mark.parametrize("name", TRAINED)
def test_a_distilled_model_comes_from_the_shipped_base(name: str) -> None:
    start = "ar" if name == "fast_dllm_v2" else "base"
    assert manifest(name)["base"]["fingerprint"] == fingerprint(WEIGHTS / start)


def test_the_base_comes_from_the_shipped_ar_model() -> None:
    assert manifest("base")["config"]["init"] == fingerprint(WEIGHTS / "ar")


# rows that joined the suite after the table was made; the next one has them
YOUNGER = {
    *("multi_block_d3llm", "eb_sampler", "localleap", "credit", "adablock", "slowfast", "prophet"),
    *("saber", "joint_threshold", "wino"),
}


def test_every_mini_method_has_its_row_on_every_task() -> None:
    suite = yaml.safe_load((FOLDER / "mini.yaml").read_text(encoding="utf-8"))
    rows = {(row["method"], row["task"]) for row in table("points.csv")}
    assert {(name, task) for name in set(suite["settings"]) - YOUNGER for task in TASKS} <= rows
    assert not YOUNGER & {method for method, _ in rows}, "the table has them: empty YOUNGER"


def test_a_point_has_at_least_250_samples_and_lies_in_its_intervals() -> None:
    for row in table("points.csv"):
        assert int(row["n_samples"]) >= 250
        assert float(row["acc_lo"]) <= float(row["accuracy"]) <= float(row["acc_hi"])
        assert float(row["tpf_lo"]) <= float(row["tpf"]) <= float(row["tpf_hi"])
        right = float(row["accuracy"]) * int(row["n_samples"]) / 100
        assert abs(right - round(right)) < 1e-6  # an accuracy is k of n


def test_the_leaderboard_follows_from_the_points() -> None:
    points = table("points.csv")
    areas: dict[str, list[float]] = {}
    for row in table("aup.csv"):
        mine = [p for p in points if (p["method"], p["task"]) == (row["method"], row["task"])]
        best = max(float(p["accuracy"]) for p in points if p["task"] == row["task"])
        assert float(row["y_max"]) == pytest.approx(best)
        area = aup([(float(p["tpf"]), float(p["accuracy"])) for p in mine], best)
        assert float(row["aup"]) == pytest.approx(area)
        assert float(row["aup_lo"]) <= area <= float(row["aup_hi"])
        areas.setdefault(row["method"], []).append(area)
    for row in table("leaderboard.csv"):
        assert float(row["avg_aup"]) == pytest.approx(sum(areas[row["method"]]) / len(TASKS))


def test_every_point_was_made_with_the_shipped_weights() -> None:
    runs = {row["run_id"]: row for row in table("runs.csv")}
    methods = registry.all_methods()
    shipped = {folder.name: fingerprint(folder) for folder in WEIGHTS.iterdir() if folder.is_dir()}
    for point in table("points.csv"):
        run = runs[point["run_id"]]
        assert (run["method"], run["task"], run["setting"]) == (point["method"], point["task"], point["setting"])
        weights = methods[point["method"]].checkpoint if point["method"] in methods else "base"
        assert run["checkpoint_fingerprint"] == shipped[weights], point["method"]
        assert run["command"].startswith("harness sweep ")
        assert not run["checkpoint"].startswith("/")


def test_ranks_follow_the_leaderboard_and_hold_its_means() -> None:
    board = {row["method"]: float(row["avg_aup"]) for row in table("leaderboard.csv")}
    ranks = table("ranks.csv")
    assert {row["method"]: float(row["avg_aup"]) for row in ranks} == board
    assert [row["method"] for row in ranks] == sorted(board, key=lambda name: -board[name])
    assert [int(row["rank"]) for row in ranks] == list(range(1, len(ranks) + 1))
    for row in ranks:
        assert float(row["avg_aup_lo"]) <= float(row["avg_aup"]) <= float(row["avg_aup_hi"])


@pytest.mark.parametrize("name", ["d3llm", "tad_quality", "tad_speed"])
def test_three_training_seeds(name: str) -> None:
    rows = {row["seed"]: row for row in table("seeds.csv") if row["method"] == name}
    assert list(rows) == ["0", "1", "2", "mean", "sd"]
    areas = [float(rows[seed]["aup"]) for seed in "012"]
    assert float(rows["mean"]["aup"]) == pytest.approx(statistics.mean(areas), abs=2e-3)
    assert float(rows["sd"]["aup"]) == pytest.approx(statistics.stdev(areas), abs=2e-3)
    points = [p for p in table("points.csv") if (p["method"], p["task"]) == (name, "gsm8k")]
    careful = min(points, key=lambda point: float(point["tpf"]))
    assert float(rows["0"]["accuracy_tpf1"]) == pytest.approx(float(careful["accuracy"]))
