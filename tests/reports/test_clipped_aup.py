"""Clipped AUP: worked values, what each special curve means, and what must hold for any curve."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from harness.stats import clipped_aup_rows
from reports.aup import aup, clipped_aup, kept, reach, weight

tpfs = st.floats(0.05, 60)
accuracies = st.floats(0, 100)
curves = st.lists(st.tuples(tpfs, accuracies), min_size=1, max_size=8)
tops = st.floats(1, 100)


def test_a_curve_that_falls_counts_up_to_the_floor() -> None:
    # from 80 to 70 between TPF 2 and 4: 75 is passed at 3
    curve = [(1, 80), (2, 80), (4, 70), (9, 60)]
    by_hand = 80 + 80 + (80 + 75 * weight(75, 80)) / 2
    assert clipped_aup(curve, 80) == pytest.approx(by_hand)
    assert reach(curve) == (3.0, 75.0)


def test_nothing_after_the_first_crossing_counts() -> None:
    dips = [(1, 80), (2, 70), (3, 80), (9, 80)]
    assert clipped_aup(dips, 80) == pytest.approx(clipped_aup(dips[:2], 80))
    assert aup(dips, 80) > clipped_aup(dips, 80)


def test_points_of_one_tpf_are_joined_upright_from_the_lowest() -> None:
    base = [(1.0, 80.0), (3.0, 78.0)]
    assert clipped_aup([*base, (3.0, 79.0)], 80) == pytest.approx(aup([*base, (3.0, 79.0)], 80))
    # the lowest is below the floor: the curve has fallen on its way there
    assert reach([(1.0, 80.0), (3.0, 70.0), (3.0, 79.0)]) == (2.0, 75.0)
    # at the first TPF the lowest accuracy is y_1
    assert clipped_aup([(1.0, 70.0), (1.0, 80.0)], 80) == 70.0


@settings(deadline=None)
@given(st.tuples(tpfs, accuracies), tops)
def test_a_single_point_is_its_rectangle(point: tuple[float, float], y_max: float) -> None:
    assert clipped_aup([point], y_max) == pytest.approx(point[0] * point[1])


@settings(deadline=None, max_examples=300)
@given(tpfs, st.floats(5, 100), st.lists(st.tuples(tpfs, st.floats(0, 1)), max_size=7), tops)
def test_equals_aup_where_nothing_is_dropped(
    first: float, top: float, more: list[tuple[float, float]], y_max: float
) -> None:
    curve = [(first, top), *((first + tpf, top - 5 + share * (105 - top)) for tpf, share in more)]
    curve = [(tpf, min(accuracy, 100.0)) for tpf, accuracy in curve]
    assume(len(kept(curve)) == len(curve))
    assert clipped_aup(curve, y_max) == pytest.approx(aup(curve, y_max), rel=1e-12)


@settings(deadline=None, max_examples=300)
@given(
    st.lists(st.tuples(st.floats(0.2, 5), st.floats(0.3, 20)), min_size=2, max_size=7),
    st.floats(40, 100),
    st.integers(0, 6),
    tops,
)
def test_continuous_in_the_accuracies_of_a_falling_curve(
    steps: list[tuple[float, float]], start: float, which: int, y_max: float
) -> None:
    """A change of 1e-6 points changes the area by no more than the curve's slope and length allow, at the floor too."""
    gaps, falls = np.array(steps).T
    tpf = np.cumsum(gaps)
    accuracy = np.maximum(start - np.concatenate([[0], np.cumsum(falls[1:])]), 0.0)
    assume(np.all(np.diff(accuracy) < 0))
    # put one point exactly on the floor, where the paper's AUP jumps
    on_floor = min(max(which % len(accuracy), 1), len(accuracy) - 1)
    accuracy[on_floor:] += accuracy[0] - 5 - accuracy[on_floor]
    assume(np.all(np.diff(accuracy) < -0.05) and accuracy.min() >= 1e-6)
    change = 1e-6
    steepest = np.max(np.diff(tpf) / -np.diff(accuracy))  # tokens per forward that one point of accuracy is worth
    bound = change * (4 * tpf[-1] + 200 * steepest * 2) * (1 + 3 * 100 / y_max)
    for index in range(len(accuracy)):
        for sign in (-1, 1):
            other = accuracy.copy()
            other[index] = min(max(other[index] + sign * change, 0), 100)
            before = clipped_aup(list(zip(tpf, accuracy, strict=True)), y_max)
            after = clipped_aup(list(zip(tpf, other, strict=True)), y_max)
            assert abs(after - before) <= bound


def test_the_paper_s_aup_jumps_where_the_clipped_one_does_not() -> None:
    above, below = ([(1, 80), (2, 79), (6, accuracy), (9, 60)] for accuracy in (75.0001, 74.9999))
    assert aup(above, 80) - aup(below, 80) > 250
    assert clipped_aup(above, 80) - clipped_aup(below, 80) == pytest.approx(0, abs=0.05)


@settings(deadline=None)
@given(curves, tops, st.sampled_from([1.0, 3.0]), st.sampled_from([0.0, 5.0, 100.0]))
def test_equals_the_vectorised_form_of_the_bootstrap(
    points: list[tuple[float, float]], y_max: float, alpha: float, drop: float
) -> None:
    tpf, accuracy = np.array(points).T
    drawn = clipped_aup_rows(tpf[None], accuracy[None], np.array([y_max]), alpha, drop)
    assert drawn[0] == pytest.approx(clipped_aup(points, y_max, alpha, drop), rel=1e-9, abs=1e-9)


@settings(deadline=None)
@given(curves, tops, st.randoms())
def test_the_order_of_points_does_not_matter(points: list[tuple[float, float]], y_max: float, random: object) -> None:
    mixed = list(points)
    random.shuffle(mixed)  # type: ignore[attr-defined]
    assert clipped_aup(mixed, y_max) == clipped_aup(points, y_max)


def test_a_cohort_at_zero_has_an_area_of_zero() -> None:
    assert clipped_aup([(1.0, 0.0), (4.0, 0.0)], 0.0) == 0.0
    with pytest.raises(ValueError, match="y_max 0"):
        clipped_aup([(1.0, 1.0)], 0.0)
