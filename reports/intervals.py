"""Intervals that a report adds: Wilson for published accuracies, the joint bootstrap of AUP over runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.stats import (
    AreaRows,
    Replicas,
    RowDraws,
    TaskCurves,
    aup_rows,
    clipped_aup_rows,
    draw_rows,
    percentile,
    pool_seeds,
    wilson,
)
from reports.cohort import Member, curve, members_points
from reports.model import Cohort, Point
from reports.rank import Interval, Intervals

Array = NDArray[np.float64]
AREAS = {"aup": aup_rows, "aup_clipped": clipped_aup_rows}


def with_wilson(point: Point) -> Point:
    """A published point with its accuracy's Wilson interval over the full test set (its n is not stated)."""
    if point.n_samples is None or point.acc_lo is not None:
        return point
    low, high = wilson(round(point.accuracy * point.n_samples / 100), point.n_samples)
    return replace(point, acc_lo=low, acc_hi=high)


def aup_draws(
    cohort: Cohort,
    points: Sequence[Point],
    samples: Mapping[str, Replicas],
    alpha: float,
    drop: float,
    draws: int,
    seed: int = 0,
) -> dict[str, RowDraws]:
    """Metric ("aup", "aup_clipped") -> the draws of every row whose points all have samples; rows are named by `key`.

    Documents are resampled jointly over all points and rows of a task, y_max with them when it is the cohort's own; a
    y_max fixed elsewhere stays fixed. Published points have no samples: they hold y_max up and are not drawn. Tasks
    have draws of their own: their documents have nothing to do with each other. Training seeds are resampled for rows
    that have several, the same ones on every task.
    """
    here = members_points(points, cohort)
    tasks = {}
    for task in cohort.tasks if draws else ():
        curves = {member: curve(here, cohort.suite, task, member) for member in cohort.methods}
        measured = {m: own for m, own in curves.items() if own and all(point.run_id in samples for point in own)}
        if measured:
            tasks[task] = TaskCurves(
                curves={key(m): [samples[point.run_id] for point in own] for m, own in measured.items()},
                areas=_areas(None if cohort.policy == "cohort" else cohort.y_max[task], alpha, drop),
                constant=[p.accuracy for m, own in curves.items() if m not in measured for p in own],
            )
    return draw_rows(_equal_seeds(tasks), draws, seed) if tasks else {}


def key(member: Member) -> str:
    """A row's name in the draws."""
    return "\n".join(member)


def _equal_seeds(tasks: Mapping[str, TaskCurves]) -> dict[str, TaskCurves]:
    """Rows whose points do not all have the same training seeds count as one seed: each point's samples pooled."""
    seeds: dict[str, set[tuple[str, ...]]] = {}
    for here in tasks.values():
        for row, points in here.curves.items():
            seeds.setdefault(row, set()).update(tuple(point) for point in points)
    uneven = {row for row, found in seeds.items() if len(found) > 1}
    return {
        task: replace(
            here,
            curves={
                row: [{"": pool_seeds(list(point.values()))} for point in points] if row in uneven else points
                for row, points in here.curves.items()
            },
        )
        for task, here in tasks.items()
    }


def _areas(y_max: float | None, alpha: float, drop: float) -> dict[str, AreaRows]:
    """The two areas with this report's alpha and drop, and with y_max held fixed where the policy fixes it."""

    def scaled(area: Any) -> AreaRows:
        def fixed(tpf: Array, accuracy: Array, best: Array) -> Array:
            found: Array = area(tpf, accuracy, best if y_max is None else np.full_like(best, y_max), alpha, drop)
            return found

        return fixed

    return {name: scaled(area) for name, area in AREAS.items()}


def aup_intervals(cohort: Cohort, drawn: Mapping[str, RowDraws]) -> dict[tuple[str, Member], Intervals]:
    """(task, member) -> metric -> 95 % interval."""
    found: dict[tuple[str, Member], Intervals] = {}
    for metric, rows in drawn.items():
        for task, here in rows.fixed.items():
            for member in cohort.methods:
                if key(member) in here:
                    found[task, member] = {
                        **found.get((task, member), {}),
                        metric: _interval(rows.on(task, key(member))),
                    }
    return found


def mean_intervals(cohort: Cohort, drawn: Mapping[str, RowDraws]) -> dict[Member, Intervals]:
    """Member -> metric -> 95 % interval of the mean over the tasks that were drawn for it."""
    return {
        member: {metric: _interval(rows.mean(key(member))) for metric, rows in drawn.items()}
        for member in cohort.methods
        if any(key(member) in here for rows in drawn.values() for here in rows.fixed.values())
    }


def _interval(values: Array) -> Interval:
    low, high = percentile(values, 0.95)
    return (low, high) if np.isfinite([low, high]).all() else (None, None)
