"""What a reader of the published tables should know, computed from the points: `harness audit`.

Each check returns findings with a sentence and the numbers behind it. Nothing is judged from memory: what cannot be
computed (prompts, missing scripts) is read from `results/published/protocols.yaml` and `known_differences.yaml`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from reports import published
from reports.aup import ALPHA, DROP, aup
from reports.cohort import curve, make_cohorts
from reports.model import Finding, Point
from reports.rank import aup_rows, leader_rows


def audit_published(papers: Sequence[str] = published.PAPERS, suite: str | None = None) -> list[Finding]:
    """Every finding about the published tables of `papers`, one suite of them or all."""
    points = [p for paper in papers for p in published.points(paper, suite, published.EVERY_STATUS)]
    table = [point for point in points if point.status == "table"]
    return [
        *k_of_n(table),
        *prompts(table),
        *nominal(table),
        *cohorts(table),
        *extra_points(points),
        *divisors(table),
        *published.known_differences(papers, suite),
    ]


def k_of_n_verdict(printed: str, n: int) -> str:
    """How a printed percentage can come from k of n: "rounded", "truncated" or "none".

    >>> k_of_n_verdict("74.1", 1319), k_of_n_verdict("82.63", 1319), k_of_n_verdict("38.28", 164)
    ('rounded', 'truncated', 'none')
    """
    decimals = len(printed.partition(".")[2])
    near = int(float(printed) * n / 100)
    shares = [100 * k / n for k in range(max(near - 1, 0), min(near + 3, n + 1))]
    if any(f"{share:.{decimals}f}" == printed for share in shares):
        return "rounded"
    if any(math.floor(share * 10**decimals + 1e-9) == round(float(printed) * 10**decimals) for share in shares):
        return "truncated"
    return "none"


def k_of_n_rows(points: Iterable[Point]) -> list[dict[str, Any]]:
    """Every point with the verdict on its printed accuracy and the nearest accuracy that k of n gives."""
    rows = []
    for point in points:
        n = point.n_samples
        if n is None:
            continue
        nearest = 100 * round(point.accuracy * n / 100) / n
        verdict = k_of_n_verdict(point.printed, n)
        where = {"source": point.source, "suite": point.suite, "task": point.task, "method": point.method}
        rows.append(
            {**where, "tpf": point.tpf, "accuracy": point.printed, "n": n, "nearest": nearest, "verdict": verdict}
        )
    return rows


def k_of_n(points: Sequence[Point]) -> list[Finding]:
    """Accuracies that no k/n of the full test set gives, a finding per source, suite and method."""
    findings = []
    for (source, suite, method), members in _grouped(points, "source", "suite", "method"):
        rows = k_of_n_rows(members)
        bad = [row for row in rows if row["verdict"] != "rounded"]
        if not bad:
            continue
        cut = sum(row["verdict"] == "truncated" for row in bad)
        shown = ", ".join(f"{row['task']} {row['accuracy']} (n = {row['n']})" for row in bad)
        text = f"{len(bad)} of {len(rows)} accuracies are not k/n of the full test set, rounded as printed: {shown}."
        text += f" {cut} of them would be if cut instead of rounded." if cut else ""
        tasks = tuple(dict.fromkeys(row["task"] for row in bad))
        data = {"points": len(rows), "impossible": len(bad), "truncated": cut, "rows": bad}
        findings.append(Finding("not-k-of-n", "warning", text, suite, source, tasks, (method,), data))
    return findings


def prompts(points: Sequence[Point]) -> list[Finding]:
    """Rows of one table that saw different prompts, shots, templates or lengths, or whose source does not say."""
    findings = []
    for (source, suite, task), members in _grouped(points, "source", "suite", "task"):
        groups: dict[str, list[str]] = {}
        for point in members:
            names = groups.setdefault(point.protocol_digest, [])
            if point.method not in names:
                names.append(point.method)
        if len(groups) > 1:
            parts = [f"{', '.join(names)}: {key}" for key, names in groups.items()]
            text = f"{suite}/{task}: {len(groups)} different prompts in one table. " + "; ".join(parts) + "."
            findings.append(
                Finding("different-prompts", "warning", text, suite, source, (task,), (), {"prompts": groups})
            )
    return findings


def nominal(points: Sequence[Point]) -> list[Finding]:
    """TPF values that were typed in as 1.0, a finding per source and suite."""
    findings = []
    for (source, suite), members in _grouped(points, "source", "suite"):
        typed = [point for point in members if point.nominal]
        if typed:
            text = f"{len(typed)} of {len(members)} points have a TPF of 1.0 that was typed in, not measured."
            data = {"points": len(members), "nominal": len(typed)}
            findings.append(Finding("nominal-tpf", "warning", text, suite, source, data=data))
    return findings


def cohorts(points: Sequence[Point]) -> list[Finding]:
    """AUP of a method's same points under each published cohort of a suite, and without the AR rows of the cohort."""
    kinds = {name: value["kind"] for name, value in published.methods().items()}
    findings = []
    tables = make_cohorts(points)
    for (suite, task, method), members in _grouped(points, "suite", "task", "method"):
        values: dict[str, dict[str, float]] = {}
        for table in tables:
            own = [p for p in members if p.source == table.name and table.suite == suite]
            if own and task in table.tasks:
                pool = [p for p in points if (p.source, p.suite, p.task) == (table.name, suite, task)]
                rivals = [p.accuracy for p in pool]
                dllm = [p.accuracy for p in pool if kinds[p.method] != "ar"]
                for name, values_of in ((table.name, rivals), (f"{table.name} without AR", dllm)):
                    if "without" not in name or (kinds[method] != "ar" and max(dllm) < max(rivals)):
                        best = max(values_of)
                        values[name] = {"y_max": best, "aup": aup([p.pair for p in own], best)}
        scores = [value["aup"] for value in values.values()]
        if scores and max(scores) - min(scores) > 0.005:
            parts = [f"{value['aup']:.2f} ({name}, y_max {value['y_max']:g})" for name, value in values.items()]
            text = f"{suite}/{task} {method}: AUP of the same points is " + ", ".join(parts) + "."
            findings.append(Finding("cohort-changes-aup", "note", text, suite, "", (task,), (method,), {"aup": values}))
    return findings


def extra_points(points: Sequence[Point]) -> list[Finding]:
    """AUP with and without the points that stand in the source's file but not in its table, y_max unchanged."""
    findings = []
    table = [point for point in points if point.status == "table"]
    best = {(c.name, c.suite, task): y for c in make_cohorts(table) for task, y in c.y_max.items()}
    for (source, suite, task, method), extra in _grouped(
        [point for point in points if point.status == "commented"], "source", "suite", "task", "method"
    ):
        used = [p.pair for p in curve(table, suite, task, (method, source))]
        y_max = best[source, suite, task]
        more = [*used, *(point.pair for point in extra)]
        without, with_them = aup(used, y_max), aup(more, y_max)
        raises = sorted(more)[0][1] - sorted(more)[-1][1] > DROP
        text = (
            f"{suite}/{task} {method}: AUP {without:.2f} becomes {with_them:.2f} with the {len(extra)} commented-out "
            f"point{'s' if len(extra) > 1 else ''}" + (" (the source's own function stops on them)." if raises else ".")
        )
        data = {"without": without, "with": with_them, "y_max": y_max, "points": [point.pair for point in extra]}
        data["reference_raises"] = raises
        findings.append(Finding("extra-points", "warning", text, suite, source, (task,), (method,), data))
    return findings


def divisors(points: Sequence[Point]) -> list[Finding]:
    """Averages as the source's own script prints them (a sum divided by a literal number) against the mean."""
    findings = []
    for (source,), members in _grouped(points, "source"):
        divisor = published.sources()[source.partition(":")[2]]["average_divisor"]
        sums: dict[str, list[float]] = {}
        names: dict[str, tuple[str, str]] = {}
        for table in make_cohorts(members):
            rows = aup_rows(table, members, ALPHA, DROP)
            for row in leader_rows(table, members, rows):
                sums.setdefault(row.label, []).extend(cell["aup"] for cell in row.cells.values())
                names[row.label] = (row.method, row.suite)
        wrong = {label: values for label, values in sums.items() if len(values) != divisor}
        for label, values in wrong.items():
            method, suite = names[label]
            printed, mean = sum(values) / divisor, sum(values) / len(values)
            text = f"{label}: the source's script averages {len(values)} tasks by dividing by {divisor}: {printed:.2f} "
            text += f"instead of {mean:.2f}."
            data = {"label": label, "tasks": len(values), "divisor": divisor, "printed": printed, "mean": mean}
            findings.append(Finding("wrong-divisor", "warning", text, suite, source, (), (method,), data))
    return findings


def summary(findings: Sequence[Finding], points: Sequence[Point]) -> dict[str, Any]:
    """The counts that head the audit: points, impossible accuracies by origin, nominal TPF, findings by check."""
    rows = k_of_n_rows(points)
    checks: dict[str, int] = {}
    for finding in findings:
        checks[finding.check] = checks.get(finding.check, 0) + 1
    counts = {}
    for source in dict.fromkeys(row["source"] for row in rows):
        for own in (False, True):
            part = [r for r in rows if r["source"] == source and r["method"].startswith("tad_") == own]
            if part:
                verdicts = [row["verdict"] for row in part]
                counts[f"{source}, {'TAD rows' if own else 'rows that are not TAD'}"] = {
                    "points": len(part),
                    "impossible": sum(verdict != "rounded" for verdict in verdicts),
                    "truncated": verdicts.count("truncated"),
                }
    return {
        "points": len(points),
        "nominal": sum(point.nominal for point in points),
        "accuracies_not_k_of_n": counts,
        "findings": checks,
    }


def _grouped(points: Iterable[Point], *keys: str) -> list[tuple[tuple[str, ...], list[Point]]]:
    groups: dict[tuple[str, ...], list[Point]] = {}
    for point in points:
        groups.setdefault(tuple(getattr(point, key) for key in keys), []).append(point)
    return list(groups.items())
