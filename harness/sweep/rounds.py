"""`--refine`: after the plan, rounds of one more point per curve, until each is fine enough or its budget is spent."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.runner.spec import RunSpec
from harness.sweep.grid import Group, groups
from harness.sweep.refine import Measured, next_value
from methods import registry

if TYPE_CHECKING:
    from harness.runner.execute import Outcome


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
            value = self._value(outcome.spec)
            # "off" (None) is a point of the curve but has no place on the axis
            if outcome.summary and value is not None and outcome.summary.get("tpf"):
                points.setdefault(float(value), []).append(outcome.summary)
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
