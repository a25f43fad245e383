"""Intervals that a report adds: Wilson for published accuracies, the joint bootstrap for AUP over runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from harness.stats import Samples, aup_rows, bootstrap_aups, percentile, wilson
from reports.cohort import Member, curve, members_points
from reports.model import Cohort, Point
from reports.rank import Interval

Array = NDArray[np.float64]
Drawn = dict[tuple[str, Member], Array]


def with_wilson(point: Point) -> Point:
    """A published point with its accuracy's Wilson interval over the full test set (its n is not stated)."""
    if point.n_samples is None or point.acc_lo is not None:
        return point
    low, high = wilson(round(point.accuracy * point.n_samples / 100), point.n_samples)
    return replace(point, acc_lo=low, acc_hi=high)


def aup_draws(
    cohort: Cohort, points: Sequence[Point], samples: Mapping[str, Samples], alpha: float, drop: float, draws: int
) -> Drawn:
    """(task, member) -> AUP in every draw [draws] of the joint bootstrap, for members whose points all have samples.

    Documents are resampled jointly over all points and members of a task, y_max with them when it is the cohort's
    own; a y_max fixed elsewhere stays fixed. Published points have no samples: they hold y_max up and are not drawn.
    Tasks have draws of their own: their documents have nothing to do with each other.
    """
    found: Drawn = {}
    here = members_points(points, cohort)
    for seed, task in enumerate(cohort.tasks if draws else ()):
        curves = {member: curve(here, cohort.suite, task, member) for member in cohort.methods}
        measured = {m: own for m, own in curves.items() if own and all(point.run_id in samples for point in own)}
        if not measured:
            continue
        fixed = [p.accuracy for m, own in curves.items() if m not in measured for p in own]
        names = {f"{member}": member for member in measured}
        drawn = bootstrap_aups(
            {name: [samples[point.run_id] for point in measured[member]] for name, member in names.items()},
            constant=fixed,
            aup=_scaled(None if cohort.policy == "cohort" else cohort.y_max[task], alpha, drop),
            draws=draws,
            seed=seed,
        )
        found |= {(task, names[name]): values for name, values in drawn.items()}
    return found


def aup_intervals(drawn: Drawn) -> dict[tuple[str, Member], Interval]:
    """(task, member) -> 95 % interval of AUP."""
    return {key: _interval(values) for key, values in drawn.items()}


def mean_intervals(drawn: Drawn) -> dict[Member, Interval]:
    """Member -> 95 % interval of the mean of its AUPs over the tasks that were drawn for it."""
    members = dict.fromkeys(member for _, member in drawn)
    return {
        member: _interval(np.mean([values for (_, owner), values in drawn.items() if owner == member], axis=0))
        for member in members
    }


def _interval(values: Array) -> Interval:
    low, high = percentile(values, 0.95)
    return (low, high) if np.isfinite([low, high]).all() else (None, None)


class _scaled:
    """`aup_rows` with this report's alpha and drop, and with y_max held fixed where the policy fixes it."""

    def __init__(self, y_max: float | None, alpha: float, drop: float) -> None:
        self.y_max, self.alpha, self.drop = y_max, alpha, drop

    def __call__(self, tpf: Array, accuracy: Array, y_max: Array) -> Array:
        best = y_max if self.y_max is None else np.full_like(y_max, self.y_max)
        return aup_rows(tpf, accuracy, best, self.alpha, self.drop)
