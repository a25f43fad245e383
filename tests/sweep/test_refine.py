"""The refinement splits the gap that bends most, keeps to its budget and makes the same choices again."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.runner.spec import RunSpec
from harness.sweep.grid import Group
from harness.sweep.refine import Measured, Refinement, middle, next_value, refine
from methods.method import Param

UNIT = Param(float, 0.5, "", 0.0, 1.0)
WHOLE = Param(int, 4, "", 1, 64)


def test_the_bend_is_split_before_the_straight_part() -> None:
    """Accuracy is level, then falls: the knee at TPF 4 matters, the equally wide gap at the start does not."""
    points = [
        Measured(1.0, 1, 80),
        Measured(0.8, 2, 80),
        Measured(0.6, 3, 80),
        Measured(0.4, 4, 80),
        Measured(0.2, 5, 50),
    ]
    assert next_value(points, UNIT, 0.5) in (0.3, 0.5)


def test_the_widest_gap_of_a_straight_line() -> None:
    points = [Measured(0.9, 1, 80), Measured(0.8, 1.5, 79), Measured(0.2, 5, 72)]
    assert next_value(points, UNIT, 0.5) == 0.5


def test_it_stops() -> None:
    points = [Measured(0.9, 1, 80), Measured(0.5, 1.4, 79)]
    assert next_value(points, UNIT, 0.5) is None
    assert next_value(points, UNIT, 0.4, tried=[0.7]) is None
    assert next_value(points[:1], UNIT, 0.1) is None
    assert next_value([Measured(1, 1, 80), Measured(2, 9, 70)], WHOLE, 0.5) is None
    assert next_value(points, Param(str, "a", ""), 0.1) is None


@given(st.floats(0.001, 1), st.floats(0.001, 1))
def test_middle_lies_between(a: float, b: float) -> None:
    value = middle(a, b, UNIT)
    assert value is None or min(a, b) < value < max(a, b)


def test_middle_is_geometric_over_decades_and_whole_for_integers() -> None:
    assert middle(0.001, 0.1, UNIT) == pytest.approx(0.01)
    assert middle(1, 64, WHOLE) == 8
    assert middle(8, 16, WHOLE) == 12


def decode(tpf: Callable[[float], float]) -> Callable[[list[Group]], list[Any]]:
    """An executor whose TPF follows the axis; accuracy falls from 80 as TPF grows."""

    def run(groups: list[Group]) -> list[Any]:
        return [outcome(spec, tpf) for group in groups for spec in group.specs]

    return run


def outcome(spec: RunSpec, tpf: Callable[[float], float]) -> Any:
    speed = tpf(spec.settings["threshold"])
    return SimpleNamespace(spec=spec, state="done", summary={"tpf": speed, "accuracy": 80 - speed + 0.01 * spec.seed})


def specs(*values: float, seeds: tuple[int, ...] = (0,)) -> list[RunSpec]:
    return [RunSpec("fast", "gsm8k", seed=seed, settings={"threshold": v}) for v in values for seed in seeds]


@pytest.mark.usefixtures("fake_methods")
class TestRounds:
    def test_neighbours_end_up_close(self) -> None:
        first = specs(0.9, 0.1)
        run = decode(lambda value: 10 * (1 - value))
        added = refine(first, [outcome(s, lambda v: 10 * (1 - v)) for s in first], Refinement(1.1, 50), run)
        speeds = sorted(10 * (1 - s.settings["threshold"]) for s in first + [o.spec for o in added])
        assert max(b - a for a, b in pairwise(speeds)) < 1.1
        assert len(added) == 7

    def test_the_budget_holds_and_seeds_go_together(self) -> None:
        first = specs(0.9, 0.1, seeds=(0, 1))
        curve = lambda value: 10 * (1 - value)  # noqa: E731
        added = refine(first, [outcome(s, curve) for s in first], Refinement(0.1, 3), decode(curve))
        assert len({o.spec.settings["threshold"] for o in added}) == 3
        assert len(added) == 6

    def test_repeating_it_asks_for_the_same_points(self) -> None:
        curve = lambda value: math.exp(3 * (1 - value))  # noqa: E731
        first = specs(0.9, 0.5, 0.1)
        once, again = (
            [o.spec for o in refine(first, [outcome(s, curve) for s in first], Refinement(0.5, 6), decode(curve))]
            for _ in range(2)
        )
        assert once == again

    def test_a_failed_point_is_not_tried_again(self) -> None:
        first = specs(0.9, 0.1)

        def fail(groups: list[Group]) -> list[Any]:
            return [SimpleNamespace(spec=s, state="failed", summary=None) for group in groups for s in group.specs]

        added = refine(first, [outcome(s, lambda v: 10 * (1 - v)) for s in first], Refinement(0.5, 50), fail)
        assert [o.spec.settings["threshold"] for o in added] == [0.5]

    def test_another_setting_is_another_curve(self) -> None:
        first = specs(0.9, 0.1)
        other = [RunSpec("fast", "gsm8k", settings={**s.settings, "block_size": 8}) for s in first]
        curve = lambda value: 10 * (1 - value)  # noqa: E731
        both = first + other
        added = refine(both, [outcome(s, curve) for s in both], Refinement(5.0, 50), decode(curve))
        assert [o.spec.settings for o in added] == [{"threshold": 0.5}, {"threshold": 0.5, "block_size": 8}]
