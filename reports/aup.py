"""AUP, the accuracy under parallelism of a method's points, and clipped AUP: two pure functions and their parts.

Points are pairs (TPF, accuracy): TPF in tokens per forward pass, accuracy in percent (0 to 100). Sorted by TPF,
rho_1 <= rho_2 <= ..., and without the points below y_1 - drop,

    AUP = rho_1 * y_1 + sum_{i>1} (rho_i - rho_{i-1}) * (y_i W(y_i) + y_{i-1} W(y_{i-1})) / 2
    W(y) = min(exp(-alpha * (1 - y / y_max)), 1)

so AUP is in percent * tokens per forward pass. It is a property of a method *inside a cohort and a sweep*: y_max is the
best accuracy of the compared methods, and more points on a curve mean more area. Print both beside every AUP.

A cohort in which every point scores 0 % has y_max 0: its AUP is defined as 0, the area under a curve at 0.

AUP leaves out whole points, so it jumps where an accuracy passes y_1 - drop. Clipped AUP is the same integral along the
polyline through all points, up to where it first falls below y_1 - drop; see `clipped_aup` and docs/aup.md.

Source of AUP: d3LLM (arXiv 2601.07568); hao-ai-lab/d3LLM e5bfcac, AUP_leaderboard/aup_utils.py, which `strict` follows.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise, takewhile

Pair = tuple[float, float]

ALPHA = 3.0
DROP = 5.0


def weight(accuracy: float, y_max: float, alpha: float = ALPHA) -> float:
    """W(y): 1 at the cohort's best accuracy (in percent) and exponentially less below it; no unit.

    With y_max 0 every accuracy is the best one, so W is 1 (of an accuracy of 0: it adds nothing to AUP).

    >>> weight(80.0, 80.0), round(weight(72.0, 80.0), 4)
    (1.0, 0.7408)
    """
    return math.exp(min(-alpha * (1.0 - accuracy / y_max), 0.0)) if y_max > 0 else 1.0


def check(points: Iterable[Sequence[float]], y_max: float, alpha: float = ALPHA, drop: float = DROP) -> list[Pair]:
    """`points` as sorted pairs (equal TPF: by accuracy, so the order given does not matter).

    Raises ValueError for no points, a TPF that is not a positive number, an accuracy that is not 0 to 100,
    a y_max that is negative or no number, a y_max of 0 where a point is above 0, a negative alpha or drop.
    """
    pairs = [(float(tpf), float(accuracy)) for tpf, accuracy in points]
    if not pairs:
        raise ValueError("AUP needs at least one point (TPF, accuracy).")
    for tpf, accuracy in pairs:
        if not (math.isfinite(tpf) and tpf > 0):
            raise ValueError(f"TPF {tpf} is not a positive number of tokens per forward pass.")
        if not 0 <= accuracy <= 100:
            raise ValueError(f"Accuracy {accuracy} is not a percentage from 0 to 100.")
    if not (math.isfinite(y_max) and y_max >= 0):
        raise ValueError(f"y_max {y_max} is not an accuracy in percent.")
    if y_max == 0 and any(accuracy > 0 for _, accuracy in pairs):
        raise ValueError("y_max 0 says that no method solved anything, but a point is above 0.")
    if not (alpha >= 0 and drop >= 0):
        raise ValueError(f"alpha ({alpha}) and drop ({drop}) must not be negative.")
    return sorted(pairs)


def kept(points: Iterable[Sequence[float]], drop: float = DROP) -> list[Pair]:
    """The points that count: by TPF, without those more than `drop` percentage points below the first.

    >>> kept([(9.0, 60.0), (1.0, 74.0), (4.0, 70.0)])
    [(1.0, 74.0), (4.0, 70.0)]
    """
    pairs = check(points, y_max=1.0, drop=drop)
    floor = pairs[0][1] - drop
    return [pair for pair in pairs if pair[1] >= floor]


def aup(
    points: Iterable[Sequence[float]], y_max: float, alpha: float = ALPHA, drop: float = DROP, strict: bool = False
) -> float:
    """Accuracy under parallelism of one curve, in percent * tokens per forward pass.

    points: pairs (TPF in tokens per forward pass, accuracy in percent), any order, at least one.
    y_max: the best accuracy of the cohort on this task, in percent (0: all points are at 0, and so is AUP).
    alpha: how hard lost accuracy is punished.
    drop: points this many percentage points below the slowest one are left out.
    strict: raise where the reference raises (the fastest point is below the floor) instead of leaving it out.

    Worked example: (1, 80) and (3, 76) in a cohort whose best is 80. W(80) = 1, W(76) = exp(-0.15) = 0.8607;
    1 * 80 + (3 - 1) * (80 * 1 + 76 * 0.8607) / 2 = 80 + 145.41.

    >>> round(aup([(1, 80), (3, 76)], y_max=80), 2)
    225.41
    >>> aup([(1, 46.19)], y_max=80)  # one point at one token per forward pass: the accuracy itself
    46.19
    >>> round(aup([(1.0, 74.02), (9.11, 73.09)], y_max=74.98), 2)  # d3LLM on LLaDA GSM8K, its own cohort
    637.65
    >>> round(aup([(1.0, 74.02), (9.11, 73.09)], y_max=80.21), 2)  # the same points in TAD's cohort
    539.23
    >>> aup([(1.0, 0.0), (4.0, 0.0)], y_max=0.0)  # nobody solved anything
    0.0

    Raises ValueError for points or options that mean nothing (see `check`), and when strict for a fastest point below
    the floor.
    """
    pairs = check(points, y_max, alpha, drop)
    floor = pairs[0][1] - drop
    if strict and pairs[-1][1] < floor:
        raise ValueError(
            f"The fastest point ({pairs[-1][0]:g}, {pairs[-1][1]:g}) is more than {drop:g} points below the slowest "
            f"({pairs[0][1]:g}); the reference stops here. Leave strict off to drop such points."
        )
    return _area([pair for pair in pairs if pair[1] >= floor], y_max, alpha)


def _area(pairs: Sequence[Pair], y_max: float, alpha: float) -> float:
    """The unweighted first term and the weighted trapezoids of sorted points."""
    total = pairs[0][0] * pairs[0][1]
    for (tpf_0, acc_0), (tpf_1, acc_1) in pairwise(pairs):
        total += (tpf_1 - tpf_0) * (acc_0 * weight(acc_0, y_max, alpha) + acc_1 * weight(acc_1, y_max, alpha)) / 2
    return total


def reach(points: Iterable[Sequence[float]], drop: float = DROP) -> Pair:
    """Where the polyline through all points first falls below the first accuracy minus `drop`: (TPF, accuracy).

    The fastest point where it never does. Interpolated in a straight line between the last point that is not below and
    the first one that is.

    >>> reach([(1.0, 80.0), (2.0, 80.0), (4.0, 70.0)])  # half way down from 80 to 70
    (3.0, 75.0)
    """
    pairs = check(points, y_max=1.0, drop=drop)
    floor = pairs[0][1] - drop
    for (tpf_0, acc_0), (tpf_1, acc_1) in pairwise(pairs):
        if acc_1 < floor:
            return tpf_0 + (tpf_1 - tpf_0) * (acc_0 - floor) / (acc_0 - acc_1), floor
    return pairs[-1]


def clipped_aup(points: Iterable[Sequence[float]], y_max: float, alpha: float = ALPHA, drop: float = DROP) -> float:
    """Clipped AUP of one curve, in percent * tokens per forward pass: the part of it before `reach`, and nothing after.

    The arguments are those of `aup`. The polyline goes through all points by TPF; the first term is rho_1 * y_1, as in
    `aup`, and a single point has nothing else. Points of one TPF are joined upright, from the lowest accuracy to the
    highest, which adds no area; the lowest of them decides whether the curve has fallen. It equals `aup` where `aup`
    drops no point.

    Worked example: (1, 80), (2, 80), (4, 70), best accuracy 80. The curve passes 75 at TPF 3, where W(75) =
    exp(-0.1875) = 0.8290; 1 * 80 + 1 * 80 + 1 * (80 + 75 * 0.8290) / 2 = 231.09. AUP drops (4, 70): 160.

    >>> round(clipped_aup([(1, 80), (2, 80), (4, 70)], y_max=80), 2), aup([(1, 80), (2, 80), (4, 70)], y_max=80)
    (231.09, 160.0)

    Raises ValueError for points or options that mean nothing (see `check`).
    """
    pairs = check(points, y_max, alpha, drop)
    floor = pairs[0][1] - drop
    above = list(takewhile(lambda pair: pair[1] >= floor, pairs))
    return _area(above if len(above) == len(pairs) else [*above, reach(pairs, drop)], y_max, alpha)
