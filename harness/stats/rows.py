"""Rows of a table against each other: the mean area over tasks, resampled over documents and training seeds.

One draw takes documents per task (shared by all rows) and, for a row with several training seeds, seeds (shared by all
tasks, because one seed is one model). A handful of seeds says less than a plain bootstrap of them claims: resampling n
values has (n - 1) / n of their variance and no heavier tail than a normal distribution. The seed part of a draw is
therefore stretched: by sqrt(n / (n - 1)), and so far that the whole has the width of Student's t with the degrees of
freedom that documents and seeds together leave.

Sources: Davison and Hinkley 1997, Bootstrap Methods and their Application, section 3.8 (hierarchical data);
Satterthwaite 1946 (degrees of freedom of a sum of variances); Holm 1979, A simple sequentially rejective multiple test
procedure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from harness.stats.areas import AreaRows
from harness.stats.curves import Replicas, joint_draws
from harness.stats.inversion import rank_interval, sign_p

Array = NDArray[np.float64]


@dataclass(frozen=True)
class TaskCurves:
    """One task: row -> its points, the accuracies that hold y_max up, and what `area` each named metric is."""

    curves: Mapping[str, Sequence[Replicas]]
    areas: Mapping[str, AreaRows]
    constant: Sequence[float] = ()


@dataclass(frozen=True)
class RowDraws:
    """The area of every row in every draw: task -> row -> `[draws]`, with all seeds and with resampled ones.

    seeds: row -> number of training seeds.
    """

    fixed: Mapping[str, Mapping[str, Array]]
    seeded: Mapping[str, Mapping[str, Array]]
    seeds: Mapping[str, int]

    def on(self, task: str, row: str) -> Array:
        """The row's area on a task, `[draws]`."""
        return self._sum({row: 1.0}, [task])

    def mean(self, row: str, tasks: Sequence[str] | None = None) -> Array:
        """The mean of the row's areas over `tasks` (all that it has), `[draws]`."""
        return self._sum({row: 1.0}, [task for task in tasks or self.fixed if row in self.fixed[task]])

    def difference(self, a: str, b: str, tasks: Sequence[str]) -> Array:
        """Mean area of `a` minus that of `b` over `tasks`, `[draws]`."""
        return self._sum({a: 1.0, b: -1.0}, tasks)

    def _sum(self, signs: Mapping[str, float], tasks: Sequence[str]) -> Array:
        fixed = {row: np.mean([self.fixed[task][row] for task in tasks], axis=0) for row in signs}
        documents = np.sum([sign * fixed[row] for row, sign in signs.items()], axis=0)
        parts = {}
        for row, sign in signs.items():
            if (n := self.seeds[row]) > 1:
                seeded = np.mean([self.seeded[task][row] for task in tasks], axis=0)
                parts[row] = sign * np.sqrt(n / (n - 1)) * (seeded - fixed[row])
        spreads = [(float(np.var(part)), self.seeds[row] - 1) for row, part in parts.items()]
        found: Array = documents + stretch(float(np.var(documents)), spreads) * np.sum(list(parts.values()), axis=0)
        return found


def stretch(documents: float, seeds: Sequence[tuple[float, int]], confidence: float = 0.95) -> float:
    """What the seed part of a draw is multiplied by, so that the sum is as wide as Student's t; 1 without seeds.

    documents: variance over documents. seeds: per row, the variance over its seeds and its number of seeds minus one.
    """
    part = sum(variance for variance, _ in seeds)
    if part <= 0:
        return 1.0
    from scipy.special import stdtrit

    degrees = (documents + part) ** 2 / sum(variance**2 / n for variance, n in seeds)
    p = 0.5 + confidence / 2
    ratio = float(stdtrit(degrees, p)) / NormalDist().inv_cdf(p)
    return float(np.sqrt((ratio**2 * (documents + part) - documents) / part))


def draw_rows(tasks: Mapping[str, TaskCurves], draws: int = 10_000, seed: int = 0) -> dict[str, RowDraws]:
    """Metric -> the draws of every row. Tasks have documents of their own, so each is drawn with a seed of its own.

    Raises ValueError for a row whose points differ in the number of their training seeds.
    """
    seeds = _seeds(tasks)
    rng = np.random.default_rng([seed, 1])
    counts = {row: rng.multinomial(n, np.full(n, 1 / n), draws).astype(float) for row, n in seeds.items() if n > 1}
    fixed: dict[str, dict[str, dict[str, Array]]] = {}
    seeded: dict[str, dict[str, dict[str, Array]]] = {}
    for number, (task, here) in enumerate(tasks.items()):
        tables = ({}, counts) if counts else ({},)
        parts: dict[tuple[str, int], list[dict[str, Array]]] = {}
        for block in joint_draws(
            here.curves, constant=here.constant, multiplicity=tables, draws=draws, seed=seed + number
        ):
            for metric, area in here.areas.items():
                for which, drawn in enumerate(block):
                    parts.setdefault((metric, which), []).append(drawn.areas(area))
        for (metric, which), blocks in parts.items():
            joined = {row: np.concatenate([block[row] for block in blocks]) for row in here.curves}
            (seeded if which else fixed).setdefault(metric, {})[task] = joined
    return {metric: RowDraws(fixed[metric], seeded.get(metric, {}), seeds) for metric in fixed}


def _seeds(tasks: Mapping[str, TaskCurves]) -> dict[str, int]:
    found: dict[str, int] = {}
    for task, here in tasks.items():
        for row, points in here.curves.items():
            sizes = {len(point) for point in points} | ({found[row]} if row in found else set())
            if len(sizes) != 1:
                raise ValueError(f"{row} has points with {sorted(sizes)} training seeds on {task}; give equal ones.")
            found[row] = sizes.pop()
    return found


@dataclass(frozen=True)
class RowDifference:
    """Row A minus row B. low, high: 95 % interval. p: two-sided, of the same test. p_holm: see `holm`."""

    a: str
    b: str
    difference: float
    low: float
    high: float
    p: float
    p_holm: float = float("nan")


def row_difference(drawn: RowDraws, a: str, b: str, measured: float, tasks: Sequence[str]) -> RowDifference:
    """The difference of two rows' mean areas. measured: the difference of the measured means, in the metric's unit."""
    values = drawn.difference(a, b, tasks)
    low, high = rank_interval(values)
    return RowDifference(a, b, measured, low, high, sign_p(values))


def holm(p: Sequence[float]) -> list[float]:
    """Holm's adjusted p values, in the order given: rejecting those under 0.05 keeps the family-wise error at 5 %.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    order = sorted(range(len(p)), key=lambda i: p[i])
    adjusted, highest = [1.0] * len(p), 0.0
    for step, index in enumerate(order):
        highest = max(highest, min(1.0, (len(p) - step) * p[index]))
        adjusted[index] = highest
    return adjusted


def rank_probabilities(drawn: RowDraws, rows: Sequence[str], tasks: Sequence[str]) -> dict[str, list[float]]:
    """Row -> the shares of draws in which its mean area is the highest, second highest, and so on; ties are split."""
    values = np.array([drawn.mean(row, tasks) for row in rows])
    above = (values[None, :, :] > values[:, None, :]).sum(axis=1)
    equal = (values[None, :, :] == values[:, None, :]).sum(axis=1)
    return {
        row: [float(np.mean(((above[i] <= k) & (k < above[i] + equal[i])) / equal[i])) for k in range(len(rows))]
        for i, row in enumerate(rows)
    }
