"""The files of a report: columns, escaping, figures, the command line, and that torch stays away."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import warnings
from dataclasses import replace
from pathlib import Path

import pytest

from reports.collect import collect
from reports.figures.base import slug
from reports.figures.draw import draw_all
from reports.formats import latex_text, markdown_text, number, rounded, to_csv
from reports.model import AUP_COLUMNS, LEADERBOARD_COLUMNS, POINT_COLUMNS, Report
from reports.page.payload import SYMBOLS
from reports.style import DARK, LIGHT, LOOKS, color, look, looks
from reports.write import latex, markdown, write_tables
from tests.reports.make_runs import make_run


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    root = tmp_path_factory.mktemp("runs")
    for task in ("gsm8k", "math", "mbpp"):
        make_run(root, "vanilla", task, 1.0, tpf=1.0)
        for threshold in (0.3, 0.9):
            make_run(root, "tad_speed", task, threshold, tpf=2 + 4 * threshold)
    make_run(root, "tad_speed", "gsm8k", 0.95, tpf=9.0, accuracy=0.05)
    make_run(root, "my_own_method", "gsm8k", 0.5, seed=0)
    make_run(root, "my_own_method", "gsm8k", 0.5, seed=1)
    return collect([root], draws=100)


def rows(path: Path) -> list[dict[str, str]]:
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_csv_columns_and_values(report: Report, tmp_path: Path) -> None:
    write_tables(report, tmp_path)
    boards, aups, points = (rows(tmp_path / f"{name}.csv") for name in ("leaderboard", "aup", "points"))
    assert tuple(boards[0]) == LEADERBOARD_COLUMNS
    assert tuple(aups[0]) == AUP_COLUMNS
    assert tuple(points[0]) == POINT_COLUMNS
    assert ",".join(LEADERBOARD_COLUMNS) == (
        "suite,method,source,n_tasks,avg_accuracy,avg_tpf,avg_aup,cohort,"
        "avg_aup_clipped,avg_aup_clipped_lo,avg_aup_clipped_hi"
    )
    assert ",".join(AUP_COLUMNS) == (
        "suite,task,method,source,aup,aup_lo,aup_hi,y_max,alpha,n_points,cohort,"
        "aup_clipped,aup_clipped_lo,aup_clipped_hi"
    )
    assert ",".join(POINT_COLUMNS) == (
        "suite,task,method,source,setting,tpf,accuracy,tpf_lo,tpf_hi,acc_lo,acc_hi,n_samples,nominal,run_id,"
        "label,axis,axis_value,train_seed,revisions,remasks,afp,kendall_tau,seed"
    )
    assert {row["source"] for row in points} == {"run"}
    assert {row["nominal"] for row in points} == {"0"}
    assert len(points) == len(report.points) == 11
    assert float(aups[0]["aup"]) == report.aup[0].aup
    assert {row["setting"] for row in points if row["method"] == "vanilla"} == {'{"threshold": 1.0}'}
    ranked = rows(tmp_path / "ranks.csv")
    assert [(r["method"], float(r["avg_aup"])) for r in ranked] == [(r.method, r.avg_aup) for r in report.leaderboard]
    assert all(float(r["avg_aup_lo"]) <= float(r["avg_aup"]) <= float(r["avg_aup_hi"]) for r in ranked)
    made = {row["run_id"]: row for row in rows(tmp_path / "runs.csv")}
    assert set(made) == {name for point in points for name in point["run_id"].split("+")}
    for point in points:
        run = made[point["run_id"].split("+")[0]]
        assert (run["method"], run["task"], run["setting"]) == (point["method"], point["task"], point["setting"])
        assert run["checkpoint_fingerprint"] == "f00d"
        assert run["command"].startswith("harness run --method")
        assert int(run["n_samples"]) > 0
    (seeds,) = rows(tmp_path / "seeds.csv")
    assert (seeds["method"], seeds["seeds"]) == ("my_own_method", "2")
    assert float(seeds["accuracy_sd"]) >= 0


def test_leaderboard_markdown_and_latex_show_what_is_missing(report: Report) -> None:
    text = markdown(report)
    line = next(line for line in text.splitlines() if "my_own_method" in line)
    assert line.startswith("| – |")
    assert line.count("–") >= 3
    assert "1 of 3" in line
    assert "(sd " in text
    tex = latex(report)
    assert r"my\_own\_method" in tex
    assert r"\toprule" in tex
    assert "Suite mini" in tex


def test_a_note_stands_above_every_table(tmp_path: Path) -> None:
    make_run(tmp_path / "runs")
    noted = collect([tmp_path / "runs"], note="Half of the problems | only.", replay=0)
    assert noted.header[0] == "Half of the problems | only."
    assert "Half of the problems" in markdown(noted).split("## ")[0]
    assert "% Half of the problems" in latex(noted)


def test_published_files(tmp_path: Path) -> None:
    write_tables(collect(published=["d3llm", "tad"]), tmp_path)
    points = rows(tmp_path / "points.csv")
    assert len(points) == 250
    assert {row["source"] for row in points} == {"published:d3llm", "published:tad"}
    assert sum(row["nominal"] == "1" for row in points) == 145
    boards = {(row["suite"], row["method"], row["cohort"]): row for row in rows(tmp_path / "leaderboard.csv")}
    assert rounded(float(boards["llada", "tad_speed", "published:tad"]["avg_aup"])) == 257.05
    assert boards["llada", "tad_speed", "published:tad"]["n_tasks"] == "4"
    tops = {(row["cohort"], row["suite"], row["task"]): row["y_max"] for row in rows(tmp_path / "aup.csv")}
    assert tops["published:d3llm", "llada", "gsm8k"] == "74.98"


def test_figures(report: Report, tmp_path: Path) -> None:
    paths = draw_all(report, tmp_path, themes=(LIGHT,), formats=("svg",))
    names = {str(path.relative_to(tmp_path)) for path in paths}
    assert {
        f"mini/run/{name}-light.svg" for name in ("gsm8k", "curves", "aup-bars", "aup-radar", "positions-math")
    } <= names
    assert "mini/run/tps-gsm8k-harness-cpu-light.svg" in names
    assert all(path.stat().st_size > 2000 for path in paths)
    svg = (tmp_path / "mini/run/gsm8k-light.svg").read_text()
    assert "TAD (Speed)" in svg
    assert look("tad_speed").light.lower() in svg
    assert "behind the cut" in svg
    assert "stroke-dasharray" in svg  # tad_speed falls below the floor at its last point


def one_figure(report: Report) -> Report:
    """The report cut down to one task, so that three figures are drawn."""
    one = replace(
        report, cohorts=report.cohorts[:1], tps=(), points=tuple(p for p in report.points if p.task == "gsm8k")
    )
    return replace(one, cohorts=(replace(one.cohorts[0], tasks=("gsm8k",)),))


def test_figures_are_the_same_each_time(report: Report, tmp_path: Path) -> None:
    one = one_figure(report)
    png = draw_all(one, tmp_path, formats=("png",))
    assert [path.name for path in png if "gsm8k-" in path.name][:2] == ["gsm8k-dark.png", "gsm8k-light.png"]
    first = draw_all(one, tmp_path / "a", themes=(DARK,), formats=("svg", "pdf"))
    second = draw_all(one, tmp_path / "b", themes=(DARK,), formats=("svg", "pdf"))
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def luminance(hex_color: str) -> float:
    channels = [int(hex_color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("theme", [LIGHT, DARK])
def test_colours_are_readable_and_stable(theme: object) -> None:
    ground = luminance(theme.ground)  # type: ignore[attr-defined]
    for method in [*LOOKS, "someone_elses"]:
        own = luminance(color(method, theme))  # type: ignore[arg-type]
        contrast = (max(own, ground) + 0.05) / (min(own, ground) + 0.05)
        assert contrast >= 3, method
    assert color("someone_elses", LIGHT) == color("someone_elses", LIGHT)


def test_unknown_methods_have_looks_of_their_own() -> None:
    names = [f"method_{n}" for n in range(8)]
    found = looks([*names, "tad_speed"])
    assert found == looks(["tad_speed", *names[::-1]])  # by name, not by place
    assert found["tad_speed"] == LOOKS["tad_speed"]
    own = [found[name] for name in names]
    assert len({one.light for one in own}) == len({one.dark for one in own}) == len({one.marker for one in own}) == 8
    assert len({(one.light, one.marker, one.dash) for one in looks(f"m{n}" for n in range(150)).values()}) == 150
    assert {looks([name])[name] for name in names} == {look(name) for name in names}
    assert LIGHT.of(names).look(names[3]) == DARK.of(names).look(names[3]) == found[names[3]]


def test_unknown_methods_look_alike_in_figures_and_page(tmp_path: Path) -> None:
    names = ["mine_a", "mine_b", "mine_c", "mine_d", "mine_e"]
    for name in names:
        make_run(tmp_path / "runs", name, n=10)
    made = collect([tmp_path / "runs"], draws=0)
    draw_all(made, tmp_path, themes=(LIGHT,), formats=("svg",))
    svg = (tmp_path / "mini/run/gsm8k-light.svg").read_text()
    for name in names:
        assert made.methods[name]["color"]["light"].lower() in svg
    assert len({made.methods[name]["color"]["light"] for name in names}) == 5
    assert {made.methods[name]["marker"] for name in names} <= set(SYMBOLS)


def test_a_report_at_zero_percent(tmp_path: Path) -> None:
    for task in ("gsm8k", "math", "mbpp"):
        make_run(tmp_path / "runs", "vanilla", task, 1.0, tpf=1.0, accuracy=0.0)
        for threshold in (0.3, 0.6, 0.9):
            make_run(tmp_path / "runs", "tad_speed", task, threshold, tpf=2 + 4 * threshold, accuracy=0.0)
    made = collect([tmp_path / "runs"], draws=50)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(draw_all(made, tmp_path, themes=(LIGHT,), formats=("svg",))) == 12
    write_tables(made, tmp_path)
    assert {(row["aup"], row["y_max"]) for row in rows(tmp_path / "aup.csv")} == {("0.0", "0.0")}
    assert {row["accuracy"] for row in rows(tmp_path / "points.csv")} == {"0.0"}
    assert {row["avg_aup"] for row in rows(tmp_path / "leaderboard.csv")} == {"0.0"}
    svg = (tmp_path / "mini/run/aup-bars-light.svg").read_text()
    assert "0.0" in svg
    assert "missing" not in svg


def test_text_cannot_leave_its_cell() -> None:
    assert markdown_text("a|b\n<script>") == "a\\|b &lt;script>"
    assert latex_text("50%_$x\\") == r"50\%\_\$x\textbackslash{}"
    assert to_csv([{"a": "=1+1"}], ["a"]) == "a\n'=1+1\n"
    assert (
        to_csv(
            [
                {
                    "a": None,
                },
                {"a": True},
                {"a": float("nan")},
            ],
            ["a"],
        )
        == 'a\n""\n1\n""\n'
    )
    assert (number(None), number(float("nan")), number(61.645)) == ("–", "–", "61.65")
    assert slug("../../x") == "x"


def harness(*words: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    code = "import sys; from harness.cli import main\ntry:\n    main()\nfinally:\n    assert 'torch' not in sys.modules"
    env = {**os.environ, "NO_COLOR": "1", "COLUMNS": "200"}
    return subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, env=env, cwd=cwd, check=False
    )


def test_commands_run_without_torch(tmp_path: Path) -> None:
    table = harness("table", "--paper", "d3llm", "--suite", "llada", "--format", "csv")
    assert table.returncode == 0, table.stderr
    assert "d3llm,gsm8k,9.11,73.09,637.65" in table.stdout
    assert table.stdout.splitlines()[0] == "method,task,tpf,accuracy,aup"
    audit = harness("audit", "--json")
    assert audit.returncode == 0, audit.stderr
    counts = json.loads(audit.stdout)["summary"]["accuracies_not_k_of_n"]
    assert counts["published:tad, rows that are not TAD"] == {"points": 88, "impossible": 38, "truncated": 0}
    make_run(tmp_path / "runs")
    done = harness(
        "report",
        "--runs",
        str(tmp_path / "runs"),
        "--out",
        str(tmp_path / "out"),
        "--no-figures",
        "--no-page",
        "--json",
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["left_out"] == []
    assert (tmp_path / "out" / "leaderboard.csv").is_file()


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["table", "--paper", "d3ll", "--suite", "llada"], 2, "Did you mean 'd3llm'"),
        (["table", "--paper", "tad", "--suite", "lada"], 2, "Did you mean 'llada'"),
        (["table", "--paper", "tad", "--suite", "llada", "--source", "run"], 2, "Did you mean 'runs'"),
        (["audit", "--published", "nobody"], 2, "Unknown paper"),
        (["report", "--runs", "/nowhere", "--out", "out"], 2, "There is no folder /nowhere"),
        (["report", "--published", "--suite", "lada", "--out", "out"], 1, "nothing to report"),
    ],
)
def test_mistakes_are_one_sentence(tmp_path: Path, words: list[str], code: int, says: str) -> None:
    done = harness(*words, cwd=tmp_path)
    assert done.returncode == code, done.stderr
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
