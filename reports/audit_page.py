"""The audit as one document: JSON-ready, and as a readable Markdown page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from reports import published
from reports.audit import audit_published, summary
from reports.errors import unknown
from reports.formats import to_markdown
from reports.model import Finding

HEADS = {
    "unreadable-run": "Runs that could not be read",
    "bad-number": "Runs whose numbers cannot be",
    "summary-mismatch": "Runs whose summary its samples contradict",
    "unfinished-run": "Unfinished runs",
    "file-name": "File names",
    "mixed-protocols": "Mixed protocols",
    "duplicate-runs": "Several runs of one setting",
    "different-seeds": "Seeds that cannot be averaged",
    "different-samples": "Different documents in one table",
    "different-data": "Different data in one table",
    "different-length": "Different generation lengths in one table",
    "different-code": "One curve from different code versions",
    "different-weights": "One curve from different weights",
    "different-tokenizer": "One curve from different tokenizers",
    "different-settings": "Settings that differ between the rows of a table",
    "curve-settings": "One curve with more than one setting changed",
    "common-documents": "One curve measured on different documents",
    "unequal-train-seeds": "Training seeds that not every point has",
    "different-eos": "Different treatment of end-of-text tokens in one table",
    "different-dtype": "Different number formats in one table",
    "different-fidelity": "Different fidelities in one table",
    "sample-errors": "Samples whose scoring failed",
    "truncated-prompts": "Prompts that were cut",
    "empty-outputs": "Empty outputs",
    "not-k-of-n": "Accuracies that are not k of n",
    "different-prompts": "Different prompts or shots inside one table",
    "nominal-tpf": "TPF that was typed in",
    "wrong-divisor": "Averages divided by the wrong number",
    "extra-points": "AUP with and without the points left out of the table",
    "points-change-aup": "AUP with all points and with two",
    "cohort-changes-aup": "AUP of the same points in different cohorts",
    "known-difference": "What else is known to differ",
}


def audit_document(papers: Sequence[str], suite: str | None = None, dirs: Sequence[Path] = ()) -> dict[str, Any]:
    """`{"summary": …, "findings": […]}` of published tables and of runs.

    Raises ReportUsageError for an unknown paper or a suite that nothing is about.
    """
    for paper in papers:
        if paper not in published.PAPERS:
            raise unknown("paper", paper, published.PAPERS)
    points = [point for paper in papers for point in published.points(paper, suite)]
    findings, ours = _run_findings(dirs, suite) if dirs else ([], set())
    findings += audit_published(papers, suite) if papers else []
    if suite and not points and suite not in ours:  # a finding that names no suite does not make one known
        raise unknown("suite", suite, ours | {name for paper in papers for name in published.suites(paper)})
    return {"summary": summary(findings, points), "findings": [asdict(finding) for finding in findings]}


def _run_findings(dirs: Sequence[Path], suite: str | None) -> tuple[list[Finding], set[str]]:
    """The findings on the runs below `dirs`, and the suites that they, and the ones left out, are of."""
    from reports.audit_runs import audit_runs
    from reports.points import check_protocols, make_points
    from reports.runs import read_runs

    runs, findings = read_runs(dirs)
    suites = {str(run.run["suite"]) for run in runs} | {finding.suite for finding in findings if finding.suite}
    runs = [run for run in runs if suite in (None, run.run["suite"])]
    made = make_points(runs, draws=0, mixed_curves=True)
    return [*findings, *check_protocols(runs, mixed=True), *made.findings, *audit_runs(runs, made.points)], suites


def audit_markdown(document: Mapping[str, Any]) -> str:
    """The page: the counts first, then the findings by check, each with what it is about."""
    head = document["summary"]
    lines = ["# Audit", ""]
    if head["points"]:
        lines += [
            f"{head['points']} published points, {head['nominal']} of them with a TPF of 1.0 that was typed in.",
            "",
        ]
        rows = [
            [name, str(row["points"]), str(row["impossible"]), str(row["truncated"])]
            for name, row in head["accuracies_not_k_of_n"].items()
        ]
        lines += [to_markdown(["rows", "points", "not k/n of the full test set", "of these: k/n if cut"], rows)]
    lines += [to_markdown(["check", "findings"], [[HEADS.get(k, k), str(n)] for k, n in head["findings"].items()])]
    for check in [*HEADS, *(name for name in head["findings"] if name not in HEADS)]:
        found = [finding for finding in document["findings"] if finding["check"] == check]
        if found:
            lines += [f"## {HEADS.get(check, check)}", ""]
            lines += [f"- {_about(finding)}{finding['text']}" for finding in found]
            lines.append("")
    return "\n".join(lines)


def _about(finding: Mapping[str, Any]) -> str:
    parts = [finding["source"], finding["suite"], ", ".join(finding["methods"])]
    if finding["check"] in ("known-difference",):
        parts.append(", ".join(finding["tasks"]))
    text = " · ".join(part for part in parts if part and part != "run")
    return f"**{text}**: " if text else ""
