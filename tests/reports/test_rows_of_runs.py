"""Rows of runs: labels, two models in one curve, unequal documents, training seeds, differing settings, compare."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from harness.cli import app
from reports.collect import collect
from reports.errors import ReportError, ReportUsageError
from reports.model import Report
from reports.row_comparison import compare_suite
from reports.write import write_tables
from tests.reports.make_runs import make_run


def texts(report: Report, check: str) -> list[str]:
    return [finding.text for finding in report.findings if finding.check == check]


def two_rows(root: Path, n: int = 120) -> None:
    for task in ("gsm8k", "math"):
        for threshold, tpf in ((0.1, 1.5), (0.9, 4.0)):
            make_run(root, "tad_speed", task, threshold, n=n, accuracy=0.9, tpf=tpf)
            make_run(root, "d2f", task, threshold, n=n, accuracy=0.4, tpf=tpf)


def test_a_label_makes_a_row_of_its_own(tmp_path: Path) -> None:
    make_run(tmp_path, threshold=0.5)
    make_run(tmp_path, threshold=0.5, tag="x", label="mine", checkpoint_fingerprint="other")
    report = collect([tmp_path], draws=100)
    assert {row.method for row in report.leaderboard} == {"tad_speed", "mine"}
    write_tables(report, tmp_path / "out")
    with open(tmp_path / "out" / "points.csv", encoding="utf-8", newline="") as file:
        points = list(csv.DictReader(file))
    assert {(p["method"], p["label"]) for p in points} == {("tad_speed", "tad_speed"), ("tad_speed", "mine")}
    assert {(p["axis"], p["axis_value"]) for p in points} == {("threshold", "0.5")}


@pytest.mark.parametrize("key", ["checkpoint_fingerprint", "tokenizer_fingerprint"])
def test_one_curve_over_two_models_is_refused(key: str, tmp_path: Path) -> None:
    for threshold in (0.3, 0.4):
        make_run(tmp_path, "d2f", threshold=threshold, **{key: str(threshold)})
    with pytest.raises(ReportError, match=r"mini/gsm8k d2f: its points come from 2 different .*--label"):
        collect([tmp_path])
    words = ["report", "--runs", str(tmp_path), "--out", str(tmp_path / "out"), "--json"]
    refused = CliRunner().invoke(app, words)
    assert refused.exit_code != 0
    assert "2 different" in json.loads(refused.stdout)["error"]
    assert not (tmp_path / "out").exists()
    allowed = CliRunner().invoke(app, [*words, "--mixed-curves", "--no-figures", "--no-page"])
    assert any("different" in text for text in json.loads(allowed.stdout)["warnings"])
    assert "different" in allowed.stderr


def test_a_labelled_curve_over_two_models_is_allowed_and_flagged(tmp_path: Path) -> None:
    for threshold in (0.3, 0.4):
        make_run(tmp_path, threshold=threshold, checkpoint_fingerprint=str(threshold), label="merged")
    report = collect([tmp_path])
    assert len(texts(report, "different-weights")) == 1
    assert any("2 different weights" in line for line in report.header)


def test_points_of_a_curve_are_over_common_documents(tmp_path: Path) -> None:
    make_run(tmp_path, threshold=0.1, n=60)
    make_run(tmp_path, threshold=0.5, n=16)
    report = collect([tmp_path], draws=100)
    assert {point.n_samples for point in report.points} == {16}
    assert any("only the 16 that all of them have count" in line for line in report.header)
    own = collect([tmp_path], draws=100, all_documents=True)
    assert {point.n_samples for point in own.points} == {60, 16}
    assert not any("16 that all" in line for line in own.header)
    assert any("cover 16 to 60 documents; each point is over its own" in line for line in own.header)


def test_training_seeds_are_one_point_each_setting(tmp_path: Path) -> None:
    for threshold in (0.1, 0.9):
        for seed in (0, 1, 2):
            rate = 0.6 + 0.1 * seed
            make_run(
                tmp_path,
                threshold=threshold,
                seed=0,
                tag=f"t{seed}",
                train_seed=seed,
                accuracy=rate,
                checkpoint_fingerprint=f"w{seed}",
            )
    make_run(tmp_path, threshold=0.5, train_seed=1, checkpoint_fingerprint="w1", tag="lonely")
    report = collect([tmp_path], draws=100)
    assert [point.train_seed for point in report.points] == ["0+1+2", "0+1+2"]
    assert [point.seeds for point in report.points] == [3, 3]
    assert not texts(report, "different-weights")
    (text,) = texts(report, "unequal-train-seeds")
    assert "1 runs are left out" in text


def test_settings_that_differ_inside_a_table_stand_beside_it(tmp_path: Path) -> None:
    make_run(tmp_path, "d3llm", setting={"threshold": 0.5, "early_stop": True, "block_size": 16})
    make_run(tmp_path, "d2f", setting={"threshold": 0.9, "early_stop": False, "block_size": 16})
    make_run(tmp_path, "vanilla", setting={"tokens_per_step": 1}, axis="tokens_per_step")
    report = collect([tmp_path], draws=100)
    (text,) = texts(report, "different-settings")
    assert "early_stop" in text
    assert "true (d3llm)" in text
    assert "block_size" not in text
    assert "threshold" not in text
    write_tables(report, tmp_path / "out")
    assert "early_stop" in (tmp_path / "out" / "report.md").read_text().split("## Points")[0]


def test_compare_by_rows(tmp_path: Path) -> None:
    two_rows(tmp_path)
    found = compare_suite([tmp_path], "mini", ["tad_speed", "d2f"], draws=500)
    clipped, paper = found.differences
    assert (clipped.metric, paper.metric) == ("avg_aup_clipped", "avg_aup")
    assert clipped.difference == pytest.approx(found.rows[0].avg_aup_clipped - found.rows[1].avg_aup_clipped)
    assert clipped.lo < clipped.difference < clipped.hi
    assert clipped.p == clipped.p_holm < 0.05
    assert found.verdict[0].startswith("tad_speed is ahead of d2f")
    assert found.ranks[0] == {"suite": "mini", "cohort": "run", "method": "tad_speed", "rank": 1, "probability": 1.0}
    back = compare_suite([tmp_path], "mini", ["d2f", "tad_speed"], draws=500)
    assert back.differences[0].difference == pytest.approx(-clipped.difference)


def test_compare_by_rows_refuses(tmp_path: Path) -> None:
    two_rows(tmp_path, n=10)
    for rows, suite, message in (
        (["tad_speed"], "mini", "two different rows"),
        (["tad_speed", "d2g"], "mini", "Did you mean 'd2f'"),
        (["tad_speed", "d2f"], "minni", "Did you mean 'mini'"),
    ):
        with pytest.raises(ReportUsageError, match=message):
            compare_suite([tmp_path], suite, rows)
    with pytest.raises(ReportUsageError, match="task"):
        compare_suite([tmp_path], "mini", ["tad_speed", "d2f"], tasks=["humaneval"])


def test_the_verb_and_the_report_agree(tmp_path: Path) -> None:
    two_rows(tmp_path)
    words = ["compare", "--suite", "mini", "tad_speed", "d2f", "--runs", str(tmp_path), "--draws", "400"]
    document = json.loads(CliRunner().invoke(app, [*words, "--json"]).stdout)
    assert document["differences"][0]["row_a"] == "tad_speed"
    text = CliRunner().invoke(app, words)
    assert text.exit_code == 0
    assert "rank 1" in text.stdout
    report = collect([tmp_path], draws=100)
    (pair,) = [one for one in report.comparisons if one.metric == "avg_aup_clipped"]
    assert pair.difference == pytest.approx(document["differences"][0]["difference"])
    write_tables(report, tmp_path / "out")
    with open(tmp_path / "out" / "compare.csv", encoding="utf-8", newline="") as file:
        header = next(csv.reader(file))
    assert header[:9] == ["suite", "row_a", "row_b", "metric", "difference", "lo", "hi", "p", "p_holm"]
    first = report.leaderboard[0]
    assert (first.rank, first.rank_lo, first.rank_hi, first.p_first) == (1, 1, 1, 1.0)


def test_runs_are_ranked_by_clipped_aup_and_papers_by_their_own() -> None:
    report = collect(published=("tad",), draws=0)
    for cohort in report.cohorts:
        own = [row for row in report.leaderboard if (row.suite, row.cohort) == (cohort.suite, cohort.name)]
        ranked = [row.avg_aup for row in own if row.rank]
        assert ranked == sorted(ranked, reverse=True)


def test_compare_of_runs_refuses_a_curve_of_two_models(tmp_path: Path) -> None:
    for threshold in (0.3, 0.4):
        make_run(tmp_path, "d2f", threshold=threshold, checkpoint_fingerprint=str(threshold))
    make_run(tmp_path, "vanilla")
    folders = [str(tmp_path / "mini" / name / "gsm8k") for name in ("d2f", "vanilla")]
    refused = CliRunner().invoke(app, ["compare", *folders, "--json"])
    assert refused.exit_code != 0
    assert "2 different weights" in json.loads(refused.stdout)["error"]
    assert CliRunner().invoke(app, ["compare", *folders, "--mixed-curves"]).exit_code == 0
