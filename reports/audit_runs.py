"""What a reader of a table made from runs should know: the same checks as for published numbers, on one's own runs."""

from __future__ import annotations

from collections.abc import Sequence

from reports.aup import aup
from reports.cohort import curve, make_cohorts
from reports.model import Finding, Point
from reports.points import SOURCE
from reports.rank import shown
from reports.runs import RunData

# key of run.json -> what to say when the runs of one task differ in it
SAME = {
    "data_fingerprint": ("different-data", "warning", "were measured on different problems"),
    "gen_length": ("different-length", "warning", "had different numbers of new tokens"),
    "dtype": ("different-dtype", "note", "were computed in different number formats"),
    "fidelity": ("different-fidelity", "warning", "mix repaired (fixed) and reference (compat) decoders"),
}
COUNTED = {
    "truncated": ("truncated-prompts", "warning", "prompts that did not fit and were cut"),
    "empty_outputs": ("empty-outputs", "note", "empty outputs"),
}


def audit_runs(runs: Sequence[RunData], points: Sequence[Point]) -> list[Finding]:
    """Findings about runs that are in the report; what was left out is named by `reports.runs.read_runs`."""
    return [*_not_k_of_n(runs), *_differences(runs), *_counted(runs), *_two_points(points)]


def _not_k_of_n(runs: Sequence[RunData]) -> list[Finding]:
    findings = []
    for run in runs:
        n, accuracy = run.summary["n_samples"], run.summary["accuracy"]
        nearest = 100 * round(accuracy * n / 100) / n
        if abs(nearest - accuracy) > 0.006:
            text = f"{run.run_id}: accuracy {accuracy:g} is not k/{n} (the nearest is {nearest:.2f})."
            findings.append(_finding("not-k-of-n", "warning", text, run, {"n": n, "nearest": nearest}))
    return findings


def _differences(runs: Sequence[RunData]) -> list[Finding]:
    findings = []
    for cell in dict.fromkeys(run.cell for run in runs):
        here = [run for run in runs if run.cell == cell]
        where = f"{cell[0]}/{cell[1]}"
        sizes = {run.run_id: run.summary["n_samples"] for run in here}
        documents = {frozenset(run.samples.doc_ids) for run in here}
        if len(documents) > 1:
            low, high = min(sizes.values()), max(sizes.values())
            text = f"{where}: the runs cover different documents ({low} to {high} samples): points are not paired."
            findings.append(Finding("different-samples", "warning", text, cell[0], SOURCE, (cell[1],), data=sizes))
        for key, (check, level, words) in SAME.items():
            values = sorted({str(run.run[key]) for run in here if run.run.get(key) is not None})
            if len(values) > 1:
                text = f"{where}: runs {words}: {', '.join(values)}."
                findings.append(Finding(check, level, text, cell[0], SOURCE, (cell[1],), data={key: values}))
        findings += _code(here)
    return findings


def _code(runs: Sequence[RunData]) -> list[Finding]:
    """Points of one curve made by different versions of the code, or with different weights or tokenizers."""
    keys = {
        "code_version": ("different-code", "different versions of the code"),
        "checkpoint_fingerprint": ("different-weights", "different weights"),
        "tokenizer_fingerprint": ("different-tokenizer", "different tokenizers"),
    }
    findings = []
    for method in dict.fromkeys(str(run.run["method"]) for run in runs):
        own = [run for run in runs if run.run["method"] == method]
        for key, (check, words) in keys.items():
            values = sorted({str(run.run[key]) for run in own if run.run.get(key) is not None})
            if len(values) > 1:
                text = (
                    f"{own[0].run['suite']}/{own[0].run['task']} {method}: its points come from {len(values)} {words}."
                )
                findings.append(_finding(check, "warning", text, own[0], {key: values}))
    return findings


def _counted(runs: Sequence[RunData]) -> list[Finding]:
    findings = []
    for run in runs:
        for key, (check, level, words) in COUNTED.items():
            number = run.summary.get(key) or 0
            if isinstance(number, int) and number > 0:
                where = f"{run.run_id} ({run.run['method']}, {run.run['task']})"
                text = f"{where}: {number} of {run.summary['n_samples']} {words}."
                findings.append(_finding(check, level, text, run, {key: number}))
    return findings


def _two_points(points: Sequence[Point]) -> list[Finding]:
    """How much of an AUP is owed to the number of points: all of them against the slowest and the shown one."""
    own = [point for point in points if point.source == SOURCE]
    findings = []
    for cohort in make_cohorts(own):
        for task in cohort.tasks:
            for member in cohort.methods:
                line = curve(own, cohort.suite, task, member)
                if len(line) < 3:
                    continue
                every = aup([point.pair for point in line], cohort.y_max[task])
                two = aup([line[0].pair, shown(line).pair], cohort.y_max[task])
                name = f"{cohort.suite}/{task} {member[0]}"
                text = f"{name}: AUP {every:.2f} with all {len(line)} points, {two:.2f} with two."
                where = (cohort.suite, SOURCE, (task,), (member[0],))
                findings.append(Finding("points-change-aup", "note", text, *where, {"all": every, "two": two}))
    return findings


def _finding(check: str, level: str, text: str, run: RunData, data: dict[str, object]) -> Finding:
    where = (run.run["suite"], SOURCE, (run.run["task"],), (run.run["method"],))
    return Finding(check, level, text, *where, {"run_id": run.run_id, **data})
