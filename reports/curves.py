"""What one curve may be made of: one model, one protocol, the same documents and training seeds at every point."""

from __future__ import annotations

from collections.abc import Sequence

from reports.errors import ReportError
from reports.model import Finding
from reports.runs import RunData

SOURCE = "run"
CurveKey = tuple[str, str, str]
# run.json -> (check, what a curve over several of them is called)
ONE_PER_CURVE = {
    "checkpoint_fingerprint": ("different-weights", "different weights"),
    "tokenizer_fingerprint": ("different-tokenizer", "different tokenizers"),
}
Chosen = list[list[RunData]]


def by_curve(chosen: Sequence[Sequence[RunData]]) -> dict[CurveKey, list[Sequence[RunData]]]:
    """(suite, task, row) -> the runs behind each of its points."""
    curves: dict[CurveKey, list[Sequence[RunData]]] = {}
    for runs in chosen:
        curves.setdefault((*runs[0].cell, runs[0].row), []).append(runs)
    return curves


def check_curves(chosen: Sequence[Sequence[RunData]], mixed_curves: bool) -> list[Finding]:
    """A finding per curve over several weights (of one training seed) or tokenizers.

    Raises ReportError for the first of them, unless all its runs carry a label or `mixed_curves`; and for a label that
    several methods share. Several protocols on a task are refused before (`reports.points.check_protocols`), whichever
    rows they are in.
    """
    findings = []
    for (suite, task, row), points in by_curve(chosen).items():
        runs = [run for point in points for run in point]
        methods = sorted({str(run.run["method"]) for run in runs})
        if len(methods) > 1:
            raise ReportError(
                f"{suite}/{task}: runs of {' and '.join(methods)} share the label {row!r} and would be one curve. "
                "Run their commands again with a --label of its own each ({method} in it is the method's name)."
            )
        for key, (check, words) in ONE_PER_CURVE.items():
            values = _values(runs, key)
            if len(values) < 2:
                continue
            text = f"{suite}/{task} {row}: its points come from {len(values)} {words} ({', '.join(values)})."
            if not (mixed_curves or all(run.run.get("label") for run in runs)):
                raise ReportError(
                    f"{text} Two models are two rows: give each a name with --label when it is run, narrow --runs to "
                    "one of them, or allow it with --mixed-curves."
                )
            findings.append(Finding(check, "warning", text, suite, SOURCE, (task,), (row,), {key: values}))
    return findings


def _values(runs: Sequence[RunData], key: str) -> list[str]:
    """The distinct values of one training seed's runs; the first seed with several speaks for the curve."""
    for seed in dict.fromkeys(run.train_seed for run in runs):
        own = [run for run in runs if key != "checkpoint_fingerprint" or run.train_seed == seed]
        values = {str(run.run[key]) for run in own if run.run.get(key) is not None}
        if len(values) > 1:
            return sorted(values)
    return []


def common_documents(
    chosen: Sequence[Sequence[RunData]], all_documents: bool = False
) -> tuple[dict[str, frozenset[str]], list[Finding]]:
    """run_id -> the documents that count, for curves whose runs cover different ones; and a finding for each of those.

    With `all_documents` every run keeps its own. A curve whose runs share no document does so too. The points of either
    are not comparable, and the finding says so.
    """
    documents: dict[str, frozenset[str]] = {}
    findings = []
    for (suite, task, row), points in by_curve(chosen).items():
        runs = [run for point in points for run in point]
        if len({run.run.get("data_fingerprint") for run in runs}) > 1:
            continue  # equal ids are not equal documents; `reports.audit_runs` says that the data differ
        sets = [frozenset(run.samples.doc_ids) for run in runs]
        common = frozenset.intersection(*sets)
        sizes = sorted(map(len, sets))
        if sizes[-1] == len(common):
            continue
        where = f"{suite}/{task} {row}: its runs cover {sizes[0]} to {sizes[-1]} documents"
        if all_documents:
            text = f"{where}; each point is over its own, so its points are not measured on the same problems."
        elif common:
            documents |= {run.run_id: common for run in runs}
            text = f"{where}; only the {len(common)} that all of them have count (--all-documents: each run's own)."
        else:
            text = f"{where} and share none: its points are not measured on the same problems."
        data = {"common": len(common), "fewest": sizes[0], "most": sizes[-1]}
        findings.append(Finding("common-documents", "warning", text, suite, SOURCE, (task,), (row,), data))
    return documents, findings


def equal_train_seeds(chosen: Chosen) -> tuple[Chosen, list[Finding]]:
    """The points that have every training seed of their row, so that all points of a curve average the same models.

    The row's seeds are those that it has on every task. A task on which no point has them all keeps its points.
    """
    rows: dict[tuple[str, str], dict[str, Chosen]] = {}
    for runs in chosen:
        rows.setdefault((runs[0].cell[0], runs[0].row), {}).setdefault(runs[0].cell[1], []).append(runs)
    kept: Chosen = []
    findings: list[Finding] = []
    for (suite, row), tasks in rows.items():
        found = [{run.train_seed for point in points for run in point} for points in tasks.values()]
        shared = set.intersection(*found)
        for task, points in tasks.items():
            full = [[run for run in point if run.train_seed in shared] for point in points]
            full = [point for point in full if {run.train_seed for run in point} == shared]
            if len(set.union(*found)) < 2 or not full or sum(map(len, full)) == sum(map(len, points)):
                kept += points
                continue
            kept += full
            left_out = sum(map(len, points)) - sum(map(len, full))
            seeds = ", ".join(sorted(shared))
            text = (
                f"{suite}/{task} {row}: {left_out} runs are left out, because not every setting and task has all "
                f"training seeds; the row is the mean over seeds {seeds}."
            )
            data = {"seeds": sorted(shared), "left_out": left_out}
            findings.append(Finding("unequal-train-seeds", "warning", text, suite, SOURCE, (task,), (row,), data))
    return [runs for runs in kept if runs], findings
