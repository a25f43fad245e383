"""Two runs on the same documents: what the difference is, and whether it is distinguishable from chance.

An interval and its p value never contradict each other: an interval leaves zero out exactly when p is under 0.05
(`harness.stats.inversion`, `accuracy_interval`).

Sources: McNemar 1947 (exact form: a sign test on the discordant pairs); Newcombe 1998, "Improved confidence intervals
for the difference between binomial proportions based on paired data", method 10; Cohen 1988 (effect size g).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from harness.stats.areas import AreaRows, aup_rows
from harness.stats.curves import bootstrap_aups
from harness.stats.intervals import resample_weights, wilson
from harness.stats.inversion import rank_interval, sign_p
from harness.stats.samples import Samples

Array = NDArray[np.float64]
SIGNIFICANT = 0.05


@dataclass(frozen=True)
class AccuracyPair:
    """Accuracy of A minus B on the same documents.

    difference, low, high: percentage points (see `accuracy_interval`). only_a, only_b: documents that only one of them
    solves. p: McNemar exact. g: Cohen's g, the share of discordant documents won by A, minus 0.5 (0.05 small, 0.15
    medium, 0.25 large).
    """

    difference: float
    low: float
    high: float
    only_a: int
    only_b: int
    n: int
    p: float
    g: float


@dataclass(frozen=True)
class Difference:
    """A paired bootstrap of A against B: `a - b` with its interval, `a / b` with its interval, and a two-sided p."""

    a: float
    b: float
    difference: float
    low: float
    high: float
    ratio: float
    ratio_low: float
    ratio_high: float
    p: float


def mcnemar_exact(only_a: int, only_b: int) -> float:
    """The two-sided exact p of `only_a` against `only_b` discordant documents; 1 without any."""
    n, k = only_a + only_b, min(only_a, only_b)
    if only_a < 0 or only_b < 0:
        raise ValueError("Counts of documents cannot be negative.")
    if n == 0:
        return 1.0
    log_choose = [math.lgamma(n + 1) - math.lgamma(i + 1) - math.lgamma(n - i + 1) for i in range(k + 1)]
    tail = math.fsum(math.exp(term - n * math.log(2)) for term in log_choose)
    return min(1.0, 2 * tail)


def newcombe_paired(both: int, only_a: int, only_b: int, neither: int) -> tuple[float, float]:
    """The 95 % interval, in percentage points, of the difference A - B of two paired accuracies (method 10)."""
    n = both + only_a + only_b + neither
    if n == 0:
        return -100.0, 100.0
    p_a, p_b = (both + only_a) / n, (both + only_b) / n
    low_a, high_a = (limit / 100 for limit in wilson(both + only_a, n))
    low_b, high_b = (limit / 100 for limit in wilson(both + only_b, n))
    margins = (both + only_a) * (only_b + neither) * (both + only_b) * (only_a + neither)
    excess = float(both * neither - only_a * only_b)
    excess = max(excess - n / 2, 0.0) if excess > 0 else excess
    phi = excess / math.sqrt(margins) if margins else 0.0

    def reach(down: float, up: float) -> float:
        return math.sqrt(max(down**2 - 2 * phi * down * up + up**2, 0.0))

    low, high = reach(p_a - low_a, high_b - p_b), reach(high_a - p_a, p_b - low_b)
    return 100 * max(p_a - p_b - low, -1.0), 100 * min(p_a - p_b + high, 1.0)


def accuracy_interval(both: int, only_a: int, only_b: int, neither: int) -> tuple[float, float]:
    """The 95 % interval, in percentage points, of A - B: every difference that its test does not reject.

    Zero is tested by McNemar's exact test, every other difference by Newcombe's method 10. The exact test is the more
    conservative of the two, so where they disagree the interval reaches to zero: it is never shorter than Newcombe's,
    and leaves zero out exactly when McNemar's p is under 0.05.
    """
    low, high = newcombe_paired(both, only_a, only_b, neither)
    if mcnemar_exact(only_a, only_b) >= SIGNIFICANT:
        return min(low, 0.0), max(high, 0.0)
    return low, high


def paired_accuracy(a: ArrayLike, b: ArrayLike) -> AccuracyPair:
    """A against B on the same documents; `a`, `b` are 0/1, `[n]`, document i at place i in both."""
    right_a, right_b = np.asarray(a, dtype=bool), np.asarray(b, dtype=bool)
    if right_a.shape != right_b.shape:
        raise ValueError("A paired comparison needs the same documents on both sides.")
    only_a, only_b = int(np.sum(right_a & ~right_b)), int(np.sum(right_b & ~right_a))
    both, n = int(np.sum(right_a & right_b)), len(right_a)
    low, high = accuracy_interval(both, only_a, only_b, n - both - only_a - only_b)
    discordant = only_a + only_b
    return AccuracyPair(
        difference=100.0 * (only_a - only_b) / n if n else 0.0,
        low=low,
        high=high,
        only_a=only_a,
        only_b=only_b,
        n=n,
        p=mcnemar_exact(only_a, only_b),
        g=only_a / discordant - 0.5 if discordant else 0.0,
    )


def paired_ratio(a: Samples, b: Samples, seed: int = 0, draws: int = 2000) -> Difference:
    """TPF of A against B, the same documents drawn for both. `a`, `b` hold the same documents in the same order."""
    if a.doc_ids != b.doc_ids:
        raise ValueError("A paired comparison needs the same documents on both sides.")
    if not len(a):
        return _difference(0.0, 0.0, np.array([]), np.array([]))
    weights = resample_weights(len(a), draws, seed)
    drawn = [np.concatenate([_safe(w @ run.tokens, w @ run.forwards) for w in weights]) for run in (a, b)]
    return _difference(a.tpf, b.tpf, *drawn)


def paired_aup(
    a: Sequence[Samples],
    b: Sequence[Samples],
    *,
    cohort: Mapping[str, Sequence[Samples]] | None = None,
    aup: AreaRows = aup_rows,
    seed: int = 0,
    draws: int = 2000,
) -> Difference:
    """AUP of curve A against curve B; y_max is the best accuracy of both and of the other curves in `cohort`."""
    others = [point for curve in (cohort or {}).values() for point in curve]
    curves = {"a": a, "b": b} | ({"others": others} if others else {})
    drawn = bootstrap_aups(curves, aup=aup, seed=seed, draws=draws)
    y_max = np.array([max(point.accuracy for curve in curves.values() for point in curve)])

    def measured(curve: Sequence[Samples]) -> float:
        tpf, accuracy = np.array([[p.tpf for p in curve]]), np.array([[p.accuracy for p in curve]])
        return float(aup(tpf, accuracy, y_max)[0])

    return _difference(measured(a), measured(b), drawn["a"], drawn["b"])


def _safe(top: Array, bottom: Array) -> Array:
    return np.divide(top, bottom, out=np.full_like(top, np.nan), where=bottom > 0)


def _difference(a: float, b: float, drawn_a: Array, drawn_b: Array) -> Difference:
    gaps = drawn_a - drawn_b
    low, high = rank_interval(gaps)
    ratio_low, ratio_high = rank_interval(_safe(drawn_a, drawn_b))
    return Difference(
        a=a,
        b=b,
        difference=a - b,
        low=low,
        high=high,
        ratio=a / b if b else float("nan"),
        ratio_low=ratio_low,
        ratio_high=ratio_high,
        p=sign_p(gaps),
    )
