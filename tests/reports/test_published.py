"""The published points give the papers' numbers: every value that the project promises, to two decimals."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from harness.cli import app
from reports import published
from reports.audit import audit_published, k_of_n_rows, summary
from reports.cohort import make_cohorts
from reports.errors import ReportUsageError
from reports.rank import aup_rows
from reports.tables import COLUMNS, FORMATS, PaperTable, published_table, render
from tests.reports.make_runs import make_run

TASKS = ("gsm8k", "math", "mbpp", "humaneval", "long_gsm8k")
AUP = {
    ("d3llm", "llada", "d3llm"): (637.65, 107.64, 88.36, 96.64, 441.13),
    ("d3llm", "dream", "d3llm"): (391.33, 97.50, 141.41, 129.48, 348.64),
    ("d3llm", "dream", "eagle3"): (318.99, 142.06, 298.57, 344.81, 422.21),
    ("tad", "llada", "qwen2.5_7b"): (74.10, 41.15, 63.60, 67.73),
    ("tad", "llada", "fast_dllm"): (182.58, 45.67, 56.60, 54.02),
    ("tad", "llada", "d2f"): (189.19, 47.15, 52.96, 61.98),
    ("tad", "llada", "dparallel"): (308.66, 61.30, 60.45, 83.69),
    ("tad", "llada", "tad_quality"): (503.76, 190.42, 89.27, 117.43),
    ("tad", "llada", "tad_speed"): (648.98, 190.99, 80.25, 107.97),
    ("tad", "dream", "tad_speed"): (359.54, 161.30, 112.86, 147.47),
    ("tad", "dream", "tad_quality"): (255.53, 144.18, 122.83, 134.29),
    ("tad", "dream", "fast_dllm_v2"): (176.11, 126.66, 114.12, 128.94),
}
MEANS = {
    ("tad", "llada"): {
        "tad_speed": 257.05,
        "tad_quality": 225.22,
        "d3llm": 206.07,
        "dparallel": 128.52,
        "d2f": 87.82,
        "fast_dllm": 84.72,
        "vanilla": 46.19,
        "qwen2.5_7b": 61.65,
    },
    ("tad", "dream"): {"tad_speed": 195.29, "tad_quality": 164.21, "d3llm": 189.93, "eagle3": 276.11},
    ("d3llm", "llada"): {"d3llm": 274.28, "dparallel": 175.18, "d2f": 110.93, "fast_dllm": 107.79, "vanilla": 52.67},
    ("d3llm", "dream"): {"d3llm": 221.67, "eagle3": 305.33, "dparallel": 158.56, "vanilla": 62.98},
    ("d3llm", "dream_coder"): {"d3llm": 184.29, "qwen2.5_coder_7b": 80.63, "vanilla": 77.10},
}


def values(table: PaperTable) -> dict[tuple[str, str], dict[str, float]]:
    return {(row["method"], row["task"]): row for row in table.long()}


@pytest.mark.parametrize(("key", "expected"), AUP.items())
def test_aup_per_task(key: tuple[str, str, str], expected: tuple[float, ...]) -> None:
    paper, suite, method = key
    found = values(published_table(paper, suite))
    assert [found[method, task]["aup"] for task in TASKS[: len(expected)]] == list(expected)


@pytest.mark.parametrize(("key", "expected"), MEANS.items())
def test_average_aup(key: tuple[str, str], expected: dict[str, float]) -> None:
    found = values(published_table(*key))
    assert {method: found[method, "average"]["aup"] for method in expected} == expected


def test_headline_accuracy() -> None:
    found = values(published_table("tad", "llada"))
    assert found["vanilla", "average"]["accuracy"] == 46.19
    assert found["tad_quality", "average"]["accuracy"] == 51.56
    assert found["tad_quality", "mbpp"]["tpf"] == 3.38  # the first parallel point of six


def test_y_max_of_the_cohorts() -> None:
    tops = {(c.name, c.suite): dict(c.y_max) for c in make_cohorts(published.points())}
    assert tops["published:tad", "llada"] == {"gsm8k": 80.21, "math": 43.14, "mbpp": 63.6, "humaneval": 67.73}
    assert tops["published:tad", "dream"] == {"gsm8k": 83.94, "math": 49.92, "mbpp": 63.8, "humaneval": 72.25}
    assert tops["published:d3llm", "llada"]["gsm8k"] == 74.98


def test_other_y_max_policies() -> None:
    assert values(published_table("tad", "llada"))["d3llm", "gsm8k"]["aup"] == 539.23
    fixed = values(published_table("tad", "llada", "published:d3llm"))
    assert fixed["d3llm", "gsm8k"]["aup"] == 637.65
    named = values(published_table("tad", "llada", "method:d2f"))
    assert named["d3llm", "gsm8k"]["aup"] == 637.65
    for policy in ("method:nobody", "nonsense", "file:/nowhere.yaml", "published:nobody"):
        with pytest.raises(ReportUsageError):
            published_table("tad", "llada", policy)


def test_counts_and_provenance() -> None:
    every = published.points(statuses=published.EVERY_STATUS)
    status = [point.status for point in every]
    assert (len(every), status.count("table"), status.count("commented"), status.count("removed")) == (290, 250, 24, 16)
    assert sum(bool(point.copied_from) for point in every) == 88
    assert all(point.protocol_digest and point.n_samples and point.label for point in every)
    assert all((point.tpf == 1.0) == point.nominal for point in every)
    for source in published.sources().values():
        assert len(source["commit"]) == 40
        assert source["files"]


def test_copied_rows_equal_their_source() -> None:
    origin = {(p.suite, p.task, p.method, p.pair) for p in published.points("d3llm")}
    copies = [point for point in published.points("tad") if point.copied_from]
    assert len(copies) == 88
    assert all((p.suite, p.task, p.method, p.pair) in origin for p in copies)


def test_every_name_is_known_everywhere() -> None:
    names = {point.method for point in published.points(statuses=published.EVERY_STATUS)}
    assert names | {row["method"] for row in published.tps()} == set(published.methods())
    assert {point.task for point in published.points()} == set(published.tasks())


def test_speeds() -> None:
    rows = published.tps()
    assert len(rows) == 50
    read = {(r["file"], r["method"], r["suite"], r["engine"], r["hardware"], r["batch_size"]): r["tps"] for r in rows}
    assert read["readme", "d3llm", "llada", "transformers", "H100", None] == 288.89
    assert read["plot", "d3llm", "llada", "transformers", "H100", None] == 280.97
    assert read["readme", "d3llm", "llada", "sglang", "H100", 1.0] == 545.31


def test_audit_counts() -> None:
    findings = audit_published()
    rows = k_of_n_rows(published.points("tad"))
    others = [row for row in rows if not row["method"].startswith("tad_")]
    assert (sum(row["verdict"] != "rounded" for row in others), len(others)) == (38, 88)
    head = summary(findings, published.points())
    assert head["accuracies_not_k_of_n"]["published:tad, rows that are not TAD"]["impossible"] == 38
    assert head["nominal"] == 145


def test_an_unknown_suite_is_refused_by_the_audit() -> None:
    result = CliRunner().invoke(app, ["audit", "--suite", "dreem"])
    assert isinstance(result.exception, ReportUsageError)
    assert result.exception.exit_code == 2
    assert "Unknown suite 'dreem'. Did you mean 'dream'?" in str(result.exception)
    assert CliRunner().invoke(app, ["audit", "--suite", "dream"]).exit_code == 0


def test_the_audit_of_runs_knows_their_suites(tmp_path: Path) -> None:
    make_run(tmp_path)
    known = CliRunner().invoke(app, ["audit", "--suite", "mini", "--runs", str(tmp_path)])
    assert known.exit_code == 0
    result = CliRunner().invoke(app, ["audit", "--suite", "mine", "--runs", str(tmp_path)])
    assert isinstance(result.exception, ReportUsageError)
    assert "Unknown suite 'mine'. Did you mean 'mini'?" in str(result.exception)


def test_audit_sensitivity() -> None:
    findings = audit_published()
    (cohort,) = [
        f
        for f in findings
        if f.check == "cohort-changes-aup" and f.methods == ("d3llm",) and f.suite == "llada" and f.tasks == ("gsm8k",)
    ]
    scores = {name: round(value["aup"], 2) for name, value in cohort.data["aup"].items()}
    assert scores["published:d3llm"] == 637.65
    assert scores["published:tad"] == 539.23
    (extra,) = [
        f for f in findings if f.check == "extra-points" and f.methods == ("fast_dllm",) and f.tasks == ("gsm8k",)
    ]
    assert (round(extra.data["without"], 2), round(extra.data["with"], 2)) == (182.58, 256.70)
    assert extra.data["reference_raises"]
    printed = {f.data["label"]: f.data for f in findings if f.check == "wrong-divisor"}
    assert round(printed["TAD-LLaDA-Speed"]["printed"], 2) == 205.64
    assert round(printed["Qwen-2.5-7B-it"]["printed"], 2) in (132.60, 99.58)
    assert any(f.check == "different-prompts" and f.suite == "dream" and f.tasks == ("math",) for f in findings)


def test_tables_in_every_format() -> None:
    table = published_table("tad", "llada")
    texts = {form: render(table, form) for form in FORMATS}
    assert texts["csv"].splitlines()[0] == ",".join(COLUMNS)
    assert len(texts["csv"].splitlines()) == 1 + 8 * 5
    assert "637.65" in render(published_table("d3llm", "llada"), "md")
    assert r"qwen2.5\_7b" in texts["latex"]
    assert texts["latex"].count(r"\midrule") == 1
    assert "TAD-LLaDA-Speed" in texts["md"]
    with pytest.raises(ReportUsageError, match="Did you mean"):
        render(table, "latx")
    with pytest.raises(ReportUsageError, match="dream_coder"):
        published_table("d3llm", "dream_code")
    with pytest.raises(ReportUsageError, match="Known"):
        published_table("tad", "dream_coder")


def test_a_row_that_lacks_a_task_is_not_averaged_over_it() -> None:
    points = [p for p in published.points("tad", "llada") if (p.method, p.task) != ("d2f", "math")]
    from reports.tables import paper_table

    table = paper_table("tad", "llada", points, "published")
    found = values(table)
    assert found["d2f", "math"]["aup"] is None
    assert found["d2f", "average"]["aup"] == pytest.approx((189.19 + 52.96 + 61.98) / 3, abs=0.01)
    (row,) = [row for row in table.rows if row.method == "d2f"]
    assert (row.rank, row.n_tasks, row.missing) == (None, 3, ("math",))


def test_cohort_rows_use_every_point() -> None:
    (cohort,) = make_cohorts(published.points("tad", "llada"))
    rows = {(row.method, row.task): row for row in aup_rows(cohort, published.points("tad", "llada"))}
    assert rows["tad_quality", "mbpp"].n_points == 6
    assert rows["tad_speed", "mbpp"].n_points == 2
