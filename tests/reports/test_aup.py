"""AUP: its documented values, a recorded table, and what must hold for any curve."""

from __future__ import annotations

import doctest
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import reports.audit
import reports.aup
import reports.figures.base
import reports.formats
from harness.stats import aup_rows
from reports.aup import aup, kept, weight

# (points, y_max, AUP): by the reference's own function (hao-ai-lab/d3LLM e5bfcac), recorded as numbers
RECORDED = [
    ([(1.0, 74.02), (9.11, 73.09)], 74.98, 637.65),
    ([(1.0, 74.02), (9.11, 73.09)], 80.21, 539.23),
    ([(1.0, 32.76), (5.74, 30.36)], 41.15, 107.64),
    ([(1.0, 42.0), (4.21, 40.60)], 63.6, 88.36),
    ([(1.0, 39.8), (5.95, 39.63)], 67.73, 96.64),
    ([(1.0, 78.32), (6.95, 74.22)], 82.56, 441.13),
    ([(1.0, 76.57), (5.12, 76.57)], 83.94, 318.99),
    ([(1.0, 74.79), (2.77, 74.68)], 80.21, 182.58),
    ([(1.0, 74.79), (2.77, 74.68), (4.13, 70.2), (4.24, 69.0), (4.37, 68.31)], 80.21, 256.70),
    ([(1.0, 42.8), (3.38, 41.6), (3.53, 41.2), (3.77, 40.8), (3.95, 40.2), (4.09, 39.4)], 63.6, 89.27),
    ([(1.0, 42.8), (3.38, 41.6)], 63.6, 79.43),
]

tpfs = st.floats(0.05, 60)
accuracies = st.floats(0, 100)
curves = st.lists(st.tuples(tpfs, accuracies), min_size=1, max_size=8)
tops = st.floats(1, 100)


@pytest.mark.parametrize(("points", "y_max", "expected"), RECORDED)
def test_recorded_values(points: list[tuple[float, float]], y_max: float, expected: float) -> None:
    assert aup(points, y_max) == pytest.approx(expected, abs=0.005)


@pytest.mark.parametrize("module", [reports.aup, reports.audit, reports.formats, reports.figures.base])
def test_examples_in_the_docs(module: object) -> None:
    assert doctest.testmod(module).failed == 0  # type: ignore[arg-type]


@settings(deadline=None)
@given(curves, tops, st.floats(0.01, 20))
def test_a_faster_equally_accurate_point_never_hurts(
    points: list[tuple[float, float]], y_max: float, step: float
) -> None:
    last = kept(points)[-1]
    fastest = max(tpf for tpf, _ in points)
    assert aup([*points, (fastest + step, last[1])], y_max) >= aup(points, y_max) - 1e-9


@settings(deadline=None)
@given(accuracies, tops)
def test_one_point_at_one_token_per_forward_is_its_accuracy(accuracy: float, y_max: float) -> None:
    assert aup([(1.0, accuracy)], y_max) == pytest.approx(accuracy)


@settings(deadline=None)
@given(curves.flatmap(lambda points: st.tuples(st.just(points), st.permutations(points))), tops)
def test_order_of_points_does_not_matter(
    both: tuple[list[tuple[float, float]], list[tuple[float, float]]], y_max: float
) -> None:
    assert aup(both[0], y_max) == aup(both[1], y_max)


@settings(deadline=None)
@given(curves, tops)
def test_equals_the_vectorised_form_of_the_bootstrap(points: list[tuple[float, float]], y_max: float) -> None:
    tpf, accuracy = np.array(points).T
    drawn = aup_rows(tpf[None], accuracy[None], np.array([y_max]))
    assert drawn[0] == pytest.approx(aup(points, y_max))


@settings(deadline=None)
@given(curves, tops, tops)
def test_a_better_cohort_never_raises_it(points: list[tuple[float, float]], a: float, b: float) -> None:
    assert aup(points, max(a, b)) <= aup(points, min(a, b)) + 1e-9


@settings(deadline=None)
@given(accuracies, tops, st.floats(0, 20))
def test_weight_is_a_share(accuracy: float, y_max: float, alpha: float) -> None:
    assert 0 < weight(accuracy, y_max, alpha) <= 1 or alpha * (1 - accuracy / y_max) > 700


@settings(deadline=None)
@given(st.lists(tpfs, min_size=1, max_size=8), st.floats(0, 10))
def test_a_cohort_at_zero_has_an_aup_of_zero(speeds: list[float], alpha: float) -> None:
    points = [(tpf, 0.0) for tpf in speeds]
    assert aup(points, 0.0, alpha) == 0.0
    drawn = aup_rows(np.array([speeds]), np.zeros((1, len(speeds))), np.zeros(1), alpha)
    assert drawn.tolist() == [0.0]


def test_options() -> None:
    points = [(1.0, 80.0), (3.0, 76.0)]
    assert aup(points, 80, alpha=0) == pytest.approx(80 + 2 * (80 + 76) / 2)
    assert aup(points, 80, drop=3) == pytest.approx(80)
    assert aup([(1, 80), (2, 74), (3, 79)], 80) == aup([(1, 80), (3, 79)], 80)


def test_strict_raises_where_the_reference_raises() -> None:
    fell = [(1.0, 74.0), (9.0, 60.0)]
    assert aup(fell, 74) == pytest.approx(74)
    with pytest.raises(ValueError, match="below the slowest"):
        aup(fell, 74, strict=True)
    # a fall in the middle is dropped by the reference too
    assert aup([(1, 74), (2, 60), (9, 73)], 74, strict=True) == aup([(1, 74), (9, 73)], 74)


def test_each_option_reaches_both_ends_of_a_piece() -> None:
    # both points below the cohort's best, so both weights depend on alpha: exp(-2 / 4) and exp(-2 / 2)
    got = aup([(1.0, 75.0), (3.0, 50.0)], 100.0, alpha=2.0, drop=30.0)
    assert got == pytest.approx(75 + 2 * (75 * math.exp(-0.5) + 50 * math.exp(-1.0)) / 2)


def test_a_point_on_the_floor_counts() -> None:
    points = [(1.0, 80.0), (3.0, 75.0)]  # exactly `drop` below the slowest
    assert kept(points) == points
    assert kept(points, drop=4.9) == points[:1]
    assert aup(points, 80) > 80
    assert aup(points, 80) == aup(points, 80, strict=True)
    assert aup([(1.0, 80.0), (3.0, 80.0)], 80, drop=0) == pytest.approx(3 * 80)


def test_the_weight_at_the_ends_of_y_max() -> None:
    assert weight(0.0, 0.0) == 1.0
    assert weight(0.25, 0.5) == pytest.approx(math.exp(-1.5))  # a cohort below one percent is a cohort like any other


NO_TPF = "TPF {} is not a positive number of tokens per forward pass."
NO_PERCENT = "Accuracy {} is not a percentage from 0 to 100."
NO_TOP = "y_max {} is not an accuracy in percent."
ABOVE_ZERO = "y_max 0 says that no method solved anything, but a point is above 0."
FELL = (
    "The fastest point (9, 60) is more than 5 points below the slowest (74); the reference stops here. "
    "Leave strict off to drop such points."
)


@pytest.mark.parametrize(
    ("points", "y_max", "options", "sentence"),
    [
        ([], 80, {}, "AUP needs at least one point (TPF, accuracy)."),
        ([(0.0, 50.0)], 80, {}, NO_TPF.format(0.0)),
        ([(-1.0, 50.0)], 80, {}, NO_TPF.format(-1.0)),
        ([(math.nan, 50.0)], 80, {}, NO_TPF.format("nan")),
        ([(math.inf, 50.0)], 80, {}, NO_TPF.format("inf")),
        ([(1.0, math.nan)], 80, {}, NO_PERCENT.format("nan")),
        ([(1.0, 100.5)], 80, {}, NO_PERCENT.format(100.5)),
        ([(1.0, -1.0)], 80, {}, NO_PERCENT.format(-1.0)),
        ([(1.0, 50.0)], 0, {}, ABOVE_ZERO),
        ([(1.0, 0.0), (2.0, 0.5)], 0, {}, ABOVE_ZERO),
        ([(1.0, 50.0)], math.nan, {}, NO_TOP.format("nan")),
        ([(1.0, 50.0)], math.inf, {}, NO_TOP.format("inf")),
        ([(1.0, 50.0)], -1.0, {}, NO_TOP.format(-1.0)),
        ([(1.0, 50.0)], 80, {"alpha": -0.5}, "alpha (-0.5) and drop (5.0) must not be negative."),
        ([(1.0, 50.0)], 80, {"drop": -0.5}, "alpha (3.0) and drop (-0.5) must not be negative."),
        ([(1.0, 74.0), (4.0, 72.0), (9.0, 60.0)], 74, {"strict": True}, FELL),
    ],
)
def test_what_means_nothing_is_refused_in_a_sentence(
    points: list[tuple[float, float]], y_max: float, options: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(ValueError) as refused:
        aup(points, y_max, **options)
    assert str(refused.value) == sentence


def test_the_kept_points_refuse_a_negative_drop_too() -> None:
    with pytest.raises(ValueError, match="must not be negative"):
        kept([(1.0, 50.0)], drop=-1.0)
