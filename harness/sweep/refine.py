"""Where to measure next: the gap of a curve that is widest and bends most.

A curve's points lie at values of one axis. Between two neighbours (in TPF) that differ by more than a tolerance, the
middle of their axis values is a candidate; candidates are ranked by how much the curve bends around them. The choice
depends on the measured points alone, so continuing a sweep makes the same choices again and finds them done.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from methods.method import Param


@dataclass(frozen=True)
class Measured:
    """A measured point: its axis value, TPF in tokens per forward, accuracy in percent."""

    value: float
    tpf: float
    accuracy: float


def next_value(points: Sequence[Measured], param: Param, tolerance: float, tried: Collection[Any] = ()) -> Any | None:
    """The axis value to measure next, or None when every gap is below `tolerance` tokens per forward or cannot split.

    tried: values not to propose again (planned, failed or measured). Needs a numeric axis and two points.
    """
    if param.kind not in (int, float) or len(points) < 2:
        return None
    ordered = sorted(points, key=lambda point: (point.tpf, point.value))
    known = {float(point.value) for point in points} | {float(value) for value in tried}
    gaps = [
        (interest, value)
        for i, (left, right) in enumerate(pairwise(ordered))
        if right.tpf - left.tpf >= tolerance
        and (value := middle(left.value, right.value, param)) is not None
        and float(value) not in known
        and (interest := _interest(ordered, i)) is not None
    ]
    return max(gaps, key=lambda gap: (gap[0], -float(gap[1])))[1] if gaps else None


def middle(a: float, b: float, param: Param) -> Any | None:
    """The parameter's value halfway between two: geometric where they differ tenfold, None if nothing lies between."""
    low, high = sorted((float(a), float(b)))
    half = math.sqrt(low * high) if low > 0 and high / low >= 10 else (low + high) / 2
    value: Any = round(half) if param.kind is int else float(f"{half:.4g}")
    return value if low < value < high else None


def _interest(points: Sequence[Measured], i: int) -> float:
    """How much is to be learnt between points i and i + 1: the width, times one plus the turn at either end.

    TPF is scaled to the curve's range and accuracy to its range or 5 points, so a flat noisy curve does not look bent.
    """
    width = max(points[-1].tpf - points[0].tpf, 1e-9)
    accuracies = [point.accuracy for point in points]
    height = max(max(accuracies) - min(accuracies), 5.0)
    scaled = [(point.tpf / width, point.accuracy / height) for point in points]
    turns = [_turn(*scaled[j - 1 : j + 2]) for j in (i, i + 1) if 0 < j < len(points) - 1]
    gap = math.dist(scaled[i], scaled[i + 1])
    return gap * (1 + sum(turns))


def _turn(a: tuple[float, float], b: tuple[float, float], c: tuple[float, float]) -> float:
    """The angle in radians by which the curve turns at `b`."""
    before, after = math.atan2(b[1] - a[1], b[0] - a[0]), math.atan2(c[1] - b[1], c[0] - b[0])
    turn = abs(after - before)
    return min(turn, 2 * math.pi - turn)
