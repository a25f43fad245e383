"""Which samples a run's point is made of, and which row a name belongs to."""

from __future__ import annotations

from pathlib import Path

from harness.metrics import summarise
from harness.store import RunFolder
from reports.collect import collect
from tests.reports.make_runs import make_run


def test_what_a_killed_larger_run_left_behind_does_not_count(tmp_path: Path) -> None:
    """--limit 4, then --limit 60 killed, then --limit 4 again: the summary is over 4, more lines are stored."""
    path = make_run(tmp_path, n=60)
    whole = RunFolder(path)
    lines = [line for line in whole.samples() if line["doc_id"] in (0, 1, 2, 3, 5, 22, 39, 42)]
    with whole.open(whole.run()) as folder:
        folder.rewrite(lines)
        folder.finish(summarise(folder.run(), lines[:4]))
    report = collect([tmp_path], replay=8)
    assert [point.n_samples for point in report.points] == [4]
    assert {line["doc_id"] for line in report.samples} == {0, 1, 2, 3}
    assert not [finding for finding in report.findings if finding.check == "summary-mismatch"]


def test_a_published_row_keeps_its_name_beside_a_run_of_its_method(tmp_path: Path) -> None:
    make_run(tmp_path, "d3llm", "gsm8k", suite="llada", protocol="llada-d3llm/gsm8k")
    report = collect([tmp_path], ["d3llm"], suite="llada", draws=50, mixed_protocols=True)
    labels = {row.source: row.label for row in report.leaderboard if (row.cohort, row.method) == ("all", "d3llm")}
    assert labels == {"run": "d3llm", "published:d3llm": "d3LLM-LLaDA"}
