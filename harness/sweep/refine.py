"""`--refine`: after the plan, one more point per curve at a time, until each is fine enough or its budget is spent.

A curve's points lie at values of one axis. Between two neighbours (in TPF) that differ by more than a tolerance, the
middle of their axis values is a candidate; candidates are ranked by how much the curve bends around them. The choice
depends on the measured points alone, so continuing a sweep makes the same choices again and finds them done.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.runner.spec import RunSpec
from harness.sweep.grid import Group, groups
from methods import registry
from methods.method import Param

if TYPE_CHECKING:
    from harness.runner.execute import Outcome


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
    """The parameter's value halfway between two: geometric where they differ tenfold, None if nothing is between."""
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


@dataclass(frozen=True)
class Refinement:
    """tolerance: the TPF by which neighbouring points may differ. budget: how many points are added to a curve."""

    tolerance: float
    budget: int


@dataclass
class Curve:
    """The runs of one method and task that differ in the axis (and the seed) only."""

    specs: list[RunSpec]
    outcomes: list[Outcome] = field(default_factory=list)
    added: int = 0

    def next(self, refinement: Refinement) -> list[RunSpec]:
        """The next point, one spec per seed; none when the curve is fine enough, cannot split or is over budget."""
        method = registry.get(self.specs[0].method)
        if method.axis is None or self.added >= refinement.budget:
            return []
        tried = [value for spec in self.specs if (value := self._value(spec)) is not None]
        value = next_value(self._measured(), method.params[method.axis], refinement.tolerance, tried)
        if value is None:
            return []
        self.added += 1
        first = self.specs[0]
        seeds = dict.fromkeys(spec.seed for spec in self.specs)
        more = [replace(first, seed=seed, settings={**first.settings, method.axis: value}) for seed in seeds]
        self.specs += more
        return more

    def _value(self, spec: RunSpec) -> Any:
        method = registry.get(spec.method)
        return spec.settings.get(method.axis) if method.axis else None

    def _measured(self) -> list[Measured]:
        points: dict[float, list[dict[str, Any]]] = {}
        for outcome in self.outcomes:
            value, summary = self._value(outcome.spec), outcome.summary or {}
            # "off" (None) is a point of the curve but has no place on the axis
            if value is not None and summary.get("tpf") and summary.get("accuracy") is not None:
                points.setdefault(float(value), []).append(summary)
        return [
            Measured(value, float(np.mean([s["tpf"] for s in same])), float(np.mean([s["accuracy"] for s in same])))
            for value, same in points.items()
        ]


def curves(specs: Sequence[RunSpec]) -> dict[str, Curve]:
    """The plan's curves by a key that leaves out the axis and the seed."""
    found: dict[str, Curve] = {}
    for spec in specs:
        found.setdefault(curve_key(spec), Curve([])).specs.append(spec)
    return found


def curve_key(spec: RunSpec) -> str:
    """Method, task and every setting but the axis, as text."""
    axis = registry.get(spec.method).axis
    rest = {name: value for name, value in spec.settings.items() if name != axis}
    return json.dumps([spec.method, spec.task, rest], sort_keys=True, default=str)


def refine(
    specs: Sequence[RunSpec],
    outcomes: Sequence[Outcome],
    refinement: Refinement,
    run: Callable[[list[Group]], list[Outcome]],
) -> list[Outcome]:
    """Run rounds of new points until no curve asks for one; returns the added runs' outcomes.

    outcomes: those of the plan's `specs`. run: executes groups (the sweep's executor).
    """
    open_curves = curves(specs)
    for outcome in outcomes:
        open_curves[curve_key(outcome.spec)].outcomes.append(outcome)
    added: list[Outcome] = []
    while more := [spec for curve in open_curves.values() for spec in curve.next(refinement)]:
        for outcome in run(groups(more)):
            open_curves[curve_key(outcome.spec)].outcomes.append(outcome)
            added.append(outcome)
    return added
