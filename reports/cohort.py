"""Cohorts: which rows one AUP table compares, and the best accuracy per task (y_max) that scales them.

y_max policies: "cohort" (the best counted point of the table itself), "published:d3llm" or "published:tad" (that
paper's table of the same suite), "file:PATH" (YAML, suite -> task -> percent), "method:NAME" (the best point of one
method of the table). A cohort is named beside every AUP because AUP changes with it. Where every point of a task is
at 0 %, y_max is 0 and so is every AUP (see `reports.aup`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from reports import published
from reports.errors import ReportUsageError, unknown
from reports.model import Cohort, Point

JOINT = "all"
TASK_ORDER = ("gsm8k", "math", "mbpp", "humaneval", "long_gsm8k", "humaneval_plus", "mbpp_plus")
Member = tuple[str, str]


def counts(point: Point, extra_points: bool = False) -> bool:
    """Whether a point belongs to the curve that AUP is computed from."""
    return point.status in ("table", "run") or extra_points


def task_order(tasks: Iterable[str]) -> tuple[str, ...]:
    """Tasks in the papers' order, others after them by name."""
    key = {name: index for index, name in enumerate(TASK_ORDER)}
    return tuple(sorted(set(tasks), key=lambda name: (key.get(name, len(key)), name)))


def curve(points: Iterable[Point], suite: str, task: str, member: Member) -> list[Point]:
    """The points of one row on one task, by TPF."""
    found = [p for p in points if (p.suite, p.task, (p.method, p.source)) == (suite, task, member)]
    return sorted(found, key=lambda point: point.pair)


def make_cohorts(points: Sequence[Point], policy: str = "cohort", joint: bool = False) -> tuple[Cohort, ...]:
    """One cohort per suite and source, and with `joint` one over all sources of a suite that has several.

    `points`: the counted ones. Raises ReportUsageError for a policy that gives no y_max for a task.
    """
    cohorts = []
    for suite in dict.fromkeys(point.suite for point in points):
        here = [point for point in points if point.suite == suite]
        sources = list(dict.fromkeys(point.source for point in here))
        cohorts += [_cohort(source, [p for p in here if p.source == source], policy) for source in sources]
        if joint and len(sources) > 1:
            cohorts.append(_cohort(JOINT, without_copies(here), policy))
    return tuple(cohorts)


def without_copies(points: Sequence[Point]) -> list[Point]:
    """`points` without the lines that repeat a point of another source which is there itself."""
    present = {(p.source, p.suite, p.task, p.method, p.pair) for p in points}
    return [p for p in points if (f"published:{p.copied_from}", p.suite, p.task, p.method, p.pair) not in present]


def members_points(points: Sequence[Point], cohort: Cohort) -> list[Point]:
    """The points of `points` that count in `cohort`."""
    here = [p for p in points if p.suite == cohort.suite and (p.method, p.source) in cohort.methods]
    return without_copies(here) if cohort.name == JOINT else here


def _cohort(name: str, points: list[Point], policy: str) -> Cohort:
    tasks = task_order(point.task for point in points)
    suite = points[0].suite
    return Cohort(
        name=name,
        suite=suite,
        tasks=tasks,
        methods=tuple(dict.fromkeys((point.method, point.source) for point in points)),
        y_max={task: y_max(policy, suite, task, points) for task in tasks},
        policy=policy,
    )


def y_max(policy: str, suite: str, task: str, points: Iterable[Point]) -> float:
    """The best accuracy, in percent, that `policy` gives for a task; `points` are the cohort's counted points.

    0 when all of them are at 0. Raises ReportUsageError when the policy has no value for the task, or says 0 where a
    point is above 0.
    """
    here = [point for point in points if point.task == task]
    kind, _, name = policy.partition(":")
    if policy == "cohort":
        pool = [point.accuracy for point in here]
    elif kind == "published" and name:
        pool = [point.accuracy for point in published.points(name, suite) if point.task == task]
        if name not in published.PAPERS:
            raise unknown("paper", name, published.PAPERS)
    elif kind == "method" and name:
        pool = [point.accuracy for point in here if point.method == name]
    elif kind == "file" and name:
        pool = [value] if (value := _from_file(Path(name)).get(suite, {}).get(task)) else []
    else:
        raise ReportUsageError(
            f"Unknown y_max policy {policy!r}. Known: cohort, published:d3llm, published:tad, method:NAME, file:PATH."
        )
    if not pool or (max(pool) == 0 and any(point.accuracy > 0 for point in here)):
        raise ReportUsageError(
            f"y_max {policy!r} gives nothing above 0 for {suite}/{task}: choose another --y-max, or narrow the report "
            "with --suite."
        )
    return max(pool)


def _from_file(path: Path) -> Mapping[str, Mapping[str, float]]:
    try:
        content: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ReportUsageError(f"y_max file {path} cannot be read: {error}.") from error
    good = isinstance(content, dict) and all(
        isinstance(block, dict)
        and all(isinstance(value, (int, float)) and 0 < value <= 100 for value in block.values())
        for block in content.values()
    )
    if not good:
        raise ReportUsageError(f"y_max file {path} must be YAML: suite -> task -> accuracy in percent, above 0 to 100.")
    return content
