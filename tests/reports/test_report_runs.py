"""Reports from runs: what is bad is named and left out, seeds are combined, nothing is averaged silently."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from reports.collect import collect
from reports.errors import ReportError, ReportUsageError
from reports.model import Finding, Report
from reports.page.payload import replay_groups
from tests.reports.make_runs import edit_json, make_run


def checks(report: Report, check: str) -> list[str]:
    return [finding.text for finding in report.findings if finding.check == check]


def grid(root: Path) -> None:
    for task in ("gsm8k", "math"):
        make_run(root, "vanilla", task, 1.0, tpf=1.0)
        for threshold in (0.3, 0.6, 0.9):
            make_run(root, "tad_speed", task, threshold, tpf=2 + 4 * threshold)


def test_points_intervals_and_ranks(tmp_path: Path) -> None:
    grid(tmp_path)
    report = collect([tmp_path])
    assert len(report.points) == 8
    for point in report.points:
        assert point.acc_lo <= point.accuracy <= point.acc_hi
        assert point.tpf_lo <= point.tpf <= point.tpf_hi
        assert point.command.startswith("harness run --method")
        assert point.positions_per_token > 1
    assert [(row.method, row.rank) for row in report.leaderboard] == [("tad_speed", 1), ("vanilla", 2)]
    assert all(row.aup_lo is not None and row.aup_lo <= row.aup_hi for row in report.aup)
    assert {row.n_points + row.dropped for row in report.aup} == {1, 3}
    assert report.header[0].startswith("Suite mini: a real experiment at small scale")
    json.dumps(report.as_dict(), allow_nan=False)


def test_the_interval_of_the_mean_is_that_of_independent_tasks(tmp_path: Path) -> None:
    grid(tmp_path)
    report = collect([tmp_path], draws=2000, y_max="method:vanilla")
    for row in report.leaderboard:
        assert row.avg_aup_lo <= row.avg_aup <= row.avg_aup_hi
        own = [r.aup_hi - r.aup_lo for r in report.aup if r.method == row.method]
        wide = row.avg_aup_hi - row.avg_aup_lo
        # two independent halves: as wide as the root of the summed squares, far from their plain mean
        assert wide == pytest.approx(sum(width**2 for width in own) ** 0.5 / 2, rel=0.15)
    shutil.rmtree(tmp_path / "mini" / "vanilla" / "math")
    alone = next(row for row in collect([tmp_path]).leaderboard if row.method == "vanilla")
    (only,) = (row for row in collect([tmp_path]).aup if row.method == "vanilla")
    assert (alone.avg_aup_lo, alone.avg_aup_hi) == (only.aup_lo, only.aup_hi)


def test_the_interval_of_aup_holds_the_value(tmp_path: Path) -> None:
    grid(tmp_path)
    report = collect([tmp_path], draws=400, y_max="method:vanilla")
    inside = [row.aup_lo <= row.aup <= row.aup_hi for row in report.aup]
    assert all(inside)
    again = collect([tmp_path], draws=400, y_max="method:vanilla")
    assert report.aup == again.aup


def test_seeds_combine_and_show_their_spread(tmp_path: Path) -> None:
    for seed in (0, 1, 2):
        make_run(tmp_path, seed=seed)
    (point,) = collect([tmp_path]).points
    assert (point.seeds, point.n_samples) == (3, 120)
    assert point.accuracy_sd > 0
    assert point.tpf_sd is not None
    assert point.run_id.count("+") == 2
    single = [collect([path]).points[0].accuracy for path in sorted(tmp_path.rglob("tad_speed-*"))]
    assert point.accuracy == pytest.approx(sum(single) / 3)


def test_duplicates_are_named_and_only_the_last_counts(tmp_path: Path) -> None:
    make_run(tmp_path, accuracy=0.2)
    late = make_run(tmp_path, accuracy=0.9, tag="b", code_version="2")
    run = json.loads((late / "run.json").read_text())
    run["sessions"][0]["started"] = "2026-02-02T03:04:05Z"
    (late / "run.json").write_text(json.dumps(run))
    report = collect([tmp_path])
    (text,) = checks(report, "duplicate-runs")
    assert "code_version" in text
    assert [point.run_id for point in report.points] == [late.name]


def test_seeds_of_other_data_or_weights_are_not_averaged(tmp_path: Path) -> None:
    make_run(tmp_path, seed=0, data_fingerprint="other")
    sessions = [{"started": "2026-02-02T03:04:05Z", "command": ["harness", "run", "--method", "x"]}]
    for seed in (1, 2):
        make_run(tmp_path, seed=seed, sessions=sessions)
    report = collect([tmp_path])
    assert [point.seeds for point in report.points] == [2]
    (text,) = checks(report, "different-seeds")
    assert "data_fingerprint" in text
    assert "not tad_speed-gsm8k-0.5-0." in text


def test_seeds_of_another_tokenizer_are_not_averaged(tmp_path: Path) -> None:
    for seed in (0, 1):
        make_run(tmp_path, seed=seed, tokenizer_fingerprint=f"tokenizer {seed}")
    with pytest.raises(ReportError, match="2 different tokenizers"):
        collect([tmp_path])
    report = collect([tmp_path], mixed_curves=True)
    assert [point.seeds for point in report.points] == [1]
    (text,) = checks(report, "different-seeds")
    assert "tokenizer_fingerprint" in text


def test_two_models_at_one_setting_are_not_a_duplicate(tmp_path: Path) -> None:
    """Sweeping a second checkpoint at the same points must not replace the first one's curve."""
    for model in ("one", "two"):
        make_run(tmp_path, tag=model, checkpoint_fingerprint=model)
    with pytest.raises(ReportError, match=r"2 different weights \(one, two\).*--label"):
        collect([tmp_path])


def test_two_methods_never_share_a_label(tmp_path: Path) -> None:
    for method in ("tad_speed", "d3llm"):
        make_run(tmp_path, method, label="mine")
    with pytest.raises(ReportError, match=r"runs of d3llm and tad_speed share the label 'mine'"):
        collect([tmp_path], mixed_curves=True)


def test_a_run_found_twice_counts_once(tmp_path: Path) -> None:
    make_run(tmp_path / "a")
    make_run(tmp_path / "b")
    report = collect([tmp_path / "a", tmp_path / "b", tmp_path / "a"])
    assert len(report.points) == 1
    assert not checks(report, "duplicate-runs")


def test_mixed_protocols_are_refused_unless_asked_for(tmp_path: Path) -> None:
    make_run(tmp_path, "vanilla")
    make_run(tmp_path, "tad_speed", protocol="llada-tad/gsm8k")
    with pytest.raises(ReportError, match="--mixed-protocols") as error:
        collect([tmp_path])
    assert "mini/gsm8k" in str(error.value)
    report = collect([tmp_path], mixed_protocols=True)
    assert report.header[0].startswith("MIXED PROTOCOLS: mini/gsm8k mixes runs of 2 protocols")
    assert checks(report, "mixed-protocols")


def test_two_versions_of_one_protocol_are_mixed_too(tmp_path: Path) -> None:
    make_run(tmp_path, "vanilla")
    make_run(tmp_path, "tad_speed", protocol_version=2, protocol_digest="other")
    with pytest.raises(ReportError, match="2 protocols"):
        collect([tmp_path])


@pytest.mark.parametrize(
    ("changes", "check", "words"),
    [
        ({"accuracy": float("nan")}, "bad-number", "accuracy is nan"),
        ({"accuracy": 101.0}, "bad-number", "not 0 to 100"),
        ({"accuracy": -1}, "bad-number", "not 0 to 100"),
        ({"accuracy": None}, "bad-number", "not a number"),
        ({"accuracy": "high"}, "bad-number", "accuracy is 'high'"),
        ({"tpf": 0.0}, "bad-number", "no token was kept"),
        ({"tpf": float("inf")}, "bad-number", "tpf is inf"),
        ({"tps": float("nan")}, "bad-number", "tps is nan"),
        ({"n_samples": 0}, "bad-number", "n_samples"),
        ({"n_samples": 70}, "summary-mismatch", "its samples give 40"),
        ({"n_samples": 7}, "summary-mismatch", "harness score"),
        ({"accuracy": 99.0}, "summary-mismatch", "harness score"),
    ],
)
def test_bad_summaries_are_named_and_left_out(
    tmp_path: Path, changes: dict[str, object], check: str, words: str
) -> None:
    make_run(tmp_path, "vanilla", tpf=1.0)
    bad = make_run(tmp_path, "tad_speed")
    edit_json(bad / "summary.json", **changes)
    report = collect([tmp_path])
    (text,) = checks(report, check)
    assert words in text
    assert bad.name in text
    assert [point.method for point in report.points] == ["vanilla"]
    assert any("left out" in line for line in report.header)


def test_broken_folders_are_named_and_left_out(tmp_path: Path) -> None:
    make_run(tmp_path, "vanilla")
    make_run(tmp_path, threshold=0.1, finish=False)
    edit_json(make_run(tmp_path, threshold=0.2) / "run.json", schema_version=99)
    (make_run(tmp_path, threshold=0.3) / "summary.json").write_text("{ not json")
    (make_run(tmp_path, threshold=0.4) / "run.json").write_bytes(b'{"suite": "\xff\xfe"}')
    (make_run(tmp_path, threshold=0.6) / "samples.jsonl").unlink()
    edit_json(make_run(tmp_path, threshold=0.7) / "run.json", method=None)
    edit_json(make_run(tmp_path, threshold=0.8) / "run.json", method="evil\u202ename\ud800")
    edit_json(make_run(tmp_path, threshold=0.9) / "run.json", setting=[1])
    broken = make_run(tmp_path, threshold=0.95) / "samples.jsonl"
    broken.write_text("garbage\n" + broken.read_text())
    report = collect([tmp_path])
    assert len(report.points) == 1
    named = {finding.data["path"] for finding in report.findings if "path" in finding.data}
    assert len(named) == 9
    assert len(checks(report, "unfinished-run")) == 1
    assert len(checks(report, "file-name")) == 2
    assert len(checks(report, "unreadable-run")) == 5
    assert any("schema version 99" in text for text in checks(report, "unreadable-run"))
    assert "1 runs are not finished" in " ".join(report.header)
    json.dumps(report.as_dict(), ensure_ascii=False).encode("utf-8")


def test_a_folder_whose_name_is_not_utf8_is_flagged(tmp_path: Path) -> None:
    odd = os.fsdecode(os.fsencode(tmp_path) + b"/r\xe9sults")
    try:
        os.mkdir(odd)
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    make_run(Path(odd))
    report = collect([tmp_path])
    assert len(report.points) == 1
    (text,) = checks(report, "file-name")
    assert "\\xe9" in text or "\\udce9" in text
    json.dumps(report.as_dict()).encode("utf-8")


def test_different_documents_lengths_and_weights_are_flagged(tmp_path: Path) -> None:
    make_run(tmp_path, "vanilla")
    make_run(tmp_path, threshold=0.1, n=20)
    make_run(tmp_path, threshold=0.2, gen_length=512, checkpoint_fingerprint="other", data_fingerprint="other")
    for threshold in (0.3, 0.4):
        make_run(tmp_path, "d2f", threshold=threshold, tokenizer_fingerprint=str(threshold))
    report = collect([tmp_path], mixed_curves=True)
    for check in (
        "different-samples",
        "different-length",
        "different-weights",
        "different-tokenizer",
        "different-data",
    ):
        assert len(checks(report, check)) == 1, check


def test_nothing_to_report(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match="nothing to report"):
        collect([tmp_path])
    make_run(tmp_path, finish=False)
    with pytest.raises(ReportError, match="not finished"):
        collect([tmp_path])
    with pytest.raises(ReportUsageError, match="d3llm"):
        collect(published=["d3lm"])


def zeros(root: Path) -> None:
    """Every run of gsm8k at 0.0 %; math has a method that solves something."""
    for threshold in (0.3, 0.6, 0.9):
        make_run(root, "tad_speed", "gsm8k", threshold, tpf=2 + 4 * threshold, accuracy=0.0)
        make_run(root, "tad_speed", "math", threshold, tpf=2 + 4 * threshold, accuracy=0.5)
    make_run(root, "vanilla", "gsm8k", 1.0, tpf=1.0, accuracy=0.0)
    make_run(root, "vanilla", "math", 1.0, tpf=1.0, accuracy=0.0)


@pytest.mark.parametrize("policy", ["cohort", "method:tad_speed"])
def test_a_task_that_nobody_solves_is_reported_as_zero(tmp_path: Path, policy: str) -> None:
    zeros(tmp_path)
    report = collect([tmp_path], y_max=policy)
    points = [point for point in report.points if point.task == "gsm8k"]
    assert {(point.accuracy, point.acc_lo) for point in points} == {(0.0, 0.0)}
    rows = [row for row in report.aup if row.task == "gsm8k"]
    assert [(row.aup, row.y_max, row.aup_lo, row.aup_hi) for row in rows] == [(0.0, 0.0, 0.0, 0.0)] * 2
    assert [(row.method, row.rank, row.missing) for row in report.leaderboard] == [
        ("tad_speed", 1, ()),
        ("vanilla", 2, ()),
    ]
    assert [row.avg_aup for row in report.leaderboard if row.method == "vanilla"] == [0.0]
    (note,) = [f for f in report.findings if f.check == "points-change-aup" and f.tasks == ("gsm8k",)]
    assert isinstance(note, Finding)
    assert "AUP 0.00 with all 3 points" in note.text
    json.dumps(report.as_dict(), allow_nan=False)


def test_a_y_max_of_zero_below_a_point_is_a_mistake_of_the_policy(tmp_path: Path) -> None:
    zeros(tmp_path)
    with pytest.raises(ReportUsageError, match="gives nothing above 0 for mini/math"):
        collect([tmp_path], y_max="method:vanilla")


def test_equal_averages_share_a_rank(tmp_path: Path) -> None:
    for method in ("vanilla", "multi_block", "d3llm"):
        make_run(tmp_path, method, accuracy=0.0)
    make_run(tmp_path, "tad_speed")
    report = collect([tmp_path], draws=50)
    ranks = [(row.method, row.rank) for row in report.leaderboard]
    assert ranks == [("tad_speed", 1), ("d3llm", 2), ("multi_block", 2), ("vanilla", 2)]


def test_an_incomplete_row_is_unranked(tmp_path: Path) -> None:
    grid(tmp_path)
    make_run(tmp_path, "d3llm", "gsm8k", tpf=12.0, accuracy=0.99)
    report = collect([tmp_path])
    (row,) = [row for row in report.leaderboard if row.method == "d3llm"]
    assert (row.rank, row.n_tasks, row.missing) == (None, 1, ("math",))
    assert report.leaderboard[-1] is row


def test_replay_has_the_same_documents_for_every_method(tmp_path: Path) -> None:
    grid(tmp_path)
    report = collect([tmp_path], replay=2)
    documents = {(s["task"], s["method"]): set() for s in report.samples}
    for s in report.samples:
        documents[s["task"], s["method"]].add(s["doc_id"])
        assert len(s["pieces"]) == len(s["trace"])
        assert "".join(s["pieces"]).startswith(s["text"])
    assert len(documents) == 4
    assert documents["gsm8k", "vanilla"] == documents["gsm8k", "tad_speed"]


def test_replay_never_pairs_documents_of_different_data(tmp_path: Path) -> None:
    make_run(tmp_path, "vanilla")
    make_run(tmp_path, "d3llm")
    other = make_run(tmp_path, "tad_speed", data_fingerprint="other")
    lines = (other / "samples.jsonl").read_text().replace("Question: ", "Question of another set: ")
    (other / "samples.jsonl").write_text(lines)
    groups = replay_groups(collect([tmp_path], draws=0, replay=2))
    assert sorted(sorted(item["method"] for item in group) for group in groups) == [
        *[["d3llm", "vanilla"]] * 2,
        *[["tad_speed"]] * 2,
    ]
    assert all(len({item["prompt"] for item in group}) == 1 for group in groups)


def test_runs_beside_published_points(tmp_path: Path) -> None:
    for task in ("gsm8k", "math", "mbpp", "humaneval"):
        make_run(tmp_path, "tad_speed", task, suite="llada", protocol=f"llada-tad/{task}")
    apart = collect([tmp_path], ["tad"], suite="llada", draws=50)
    assert [cohort.name for cohort in apart.cohorts] == ["run", "published:tad"]
    joint = collect([tmp_path], ["tad", "d3llm"], suite="llada", draws=50, mixed_protocols=True)
    (every,) = [cohort for cohort in joint.cohorts if cohort.name == "all"]
    assert ("tad_speed", "run") in every.methods
    assert ("tad_speed", "published:tad") in every.methods
    assert ("d3llm", "published:tad") not in every.methods  # a copy of d3LLM's own row
    assert joint.header[0].startswith("MIXED PROTOCOLS")
