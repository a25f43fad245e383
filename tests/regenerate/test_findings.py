"""Seeds and the delta ablation, out of run folders."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from harness.regenerate.findings import cost_rows, delta_rows, seed_rows, write_findings
from methods.distill import recipe
from tests.reports.make_runs import make_run

FAST, SLOW = 6.0, 2.0


def curve(folder: Path, method: str, accuracy: float, tpf: float, tag: str = "") -> None:
    for threshold, speed in ((0.0, 1.0), (0.5, tpf)):
        make_run(folder, method, "gsm8k", threshold, n=120, accuracy=accuracy, tpf=speed, tag=tag)
    make_run(folder, method, "math", 0.5, n=5, tag=tag)  # another task is no part of the table


def folder(tmp_path: Path) -> Path:
    (tmp_path / "report").mkdir()
    curve(tmp_path / "runs" / "multi_block", "multi_block", 0.8, SLOW)
    curve(tmp_path / "runs" / "tad_quality", "tad_quality", 0.8, 3.0)
    curve(tmp_path / "runs" / "tad_speed", "tad_speed", 0.8, FAST)
    curve(tmp_path / "runs_extra" / "tad_speed.delta32", "tad_speed", 0.3, FAST)
    curve(tmp_path / "runs_extra" / "tad_speed.seed1", "tad_speed", 0.7, FAST, tag="b")
    return tmp_path


def test_the_ablation_is_in_order_between_the_base_and_tad_speed(tmp_path: Path) -> None:
    rows = delta_rows(folder(tmp_path), (2, 32))
    quality = recipe.load("tad_quality", "mini").settings.delta
    assert [row["model"] for row in rows] == ["undistilled", f"delta {quality}", "delta 32", "tad_speed"]
    undistilled, slow, wrong, fast = rows
    assert undistilled["aup"] < slow["aup"] < fast["aup"]
    assert wrong["aup"] < undistilled["aup"], "speed without accuracy is worth little"
    for row in rows:
        assert row["aup_lo"] <= row["aup"] <= row["aup_hi"]
        assert row["accuracy_tpf1_lo"] <= row["accuracy_tpf1"] <= row["accuracy_tpf1_hi"]
        assert row["tpf_strict"] < row["tpf_default"]
        assert row["n"] == 120


def test_seeds_have_a_mean_and_a_spread(tmp_path: Path) -> None:
    rows = seed_rows(folder(tmp_path), {"tad_speed": (1, 2), "d3llm": (1,)})
    assert [row["seed"] for row in rows] == ["0", "1", "mean", "sd"], "seed 2 and d3llm were never trained"
    first, second, mean, sd = rows
    assert mean["aup"] == pytest.approx((first["aup"] + second["aup"]) / 2)
    assert sd["tpf_default"] == pytest.approx(abs(first["tpf_default"] - second["tpf_default"]) / 2**0.5)


def test_the_seeds_of_several_methods_are_one_cohort(tmp_path: Path) -> None:
    out = folder(tmp_path)
    seeds = {"tad_speed": (1,), "tad_quality": (1,)}
    curve(out / "runs_extra" / "tad_quality.seed1", "tad_quality", 0.99, 3.0, tag="b")
    rows = {(row["method"], row["seed"]): row for row in seed_rows(out, seeds)}
    assert len(rows) == 8
    alone = {row["seed"]: row for row in seed_rows(out, {"tad_speed": (1,)})}
    assert rows["tad_speed", "0"]["aup"] < alone["0"]["aup"], "measured against the better method's accuracy"


def test_files(tmp_path: Path) -> None:
    out = folder(tmp_path)
    assert write_findings(out, (2, 32), {"tad_speed": (1, 2)}) == {"seeds": 4, "delta": 4, "cost": 0}
    with (out / "report" / "delta.csv").open() as file:
        assert next(row["model"] for row in csv.DictReader(file)) == "undistilled"
    assert (out / "report" / "seeds.csv").read_text().splitlines()[3].startswith("tad_speed,mean,")


def test_nothing_to_say(tmp_path: Path) -> None:
    assert write_findings(tmp_path, (2,), {"tad_speed": (1,)}) == {"seeds": 0, "delta": 0, "cost": 0}


def test_cost_adds_up_and_counts_a_shared_checkpoint_with_every_row_that_uses_it(tmp_path: Path) -> None:
    spent = {"data": 1.0, "pretrain_base": 20.0, "trajectories_plain": 4.0, "d3llm": 3.0, "d3llm.seed1": 3.0}
    spent |= {"sweep_vanilla": 9.0, "sweep_d3llm": 5.0, "sweep_d3llm_cache": 4.0}
    (tmp_path / "stages.json").write_text(json.dumps({name: {"cpu_minutes": m} for name, m in spent.items()}))
    rows = {row["row"]: row["cpu_minutes"] for row in cost_rows(tmp_path)}
    assert rows == {
        "d3llm": 8.0,
        "d3llm_cache": 7.0,
        "vanilla": 9.0,
        "shared: pretrain_base": 20.0,
        "shared: trajectories_plain": 4.0,
        "other stages, seeds and ablation": 4.0,
    }
