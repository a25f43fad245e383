"""Rows against each other: one rule for p and interval, pairing, training seeds, ranks, Holm."""

from __future__ import annotations

import doctest

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import harness.stats.rows
from harness import stats
from tests.stats.test_paired import samples

AREAS = {"aup": stats.aup_rows, "aup_clipped": stats.clipped_aup_rows}
Curves = dict[str, list[dict[str, stats.Samples]]]


def task(*rows: tuple[str, list[dict[str, stats.Samples]]]) -> stats.TaskCurves:
    return stats.TaskCurves(dict(rows), AREAS)


def curve(seed: int, rate: float, tpf: float, n: int = 120, seeds: int = 1, spread: float = 0.0) -> list:
    rng = np.random.default_rng(seed)
    shifts = rng.normal(0, spread, seeds)
    return [
        {str(s): samples(n, seed + 10 * s + i, min(max(rate + shift, 0), 1), speed) for s, shift in enumerate(shifts)}
        for i, speed in enumerate((tpf, 2 * tpf))
    ]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(-20, 40), min_size=20, max_size=500))
def test_p_and_interval_are_one_rule(values: list[int]) -> None:
    draws = np.array(values, dtype=float)
    low, high = stats.rank_interval(draws)
    assert (stats.sign_p(draws) < 0.05) == (low > 0 or high < 0)


@given(*[st.integers(0, 40)] * 4)
def test_mcnemar_and_its_interval_never_contradict(both: int, only_a: int, only_b: int, neither: int) -> None:
    low, high = stats.accuracy_interval(both, only_a, only_b, neither)
    assert (stats.mcnemar_exact(only_a, only_b) < 0.05) == (low > 0 or high < 0)
    old_low, old_high = stats.newcombe_paired(both, only_a, only_b, neither)
    assert low <= old_low
    assert high >= old_high


def test_every_small_table() -> None:
    contradicted = total = 0
    for n in range(1, 25):
        for a in range(n + 1):
            for b in range(n + 1 - a):
                for both in range(n + 1 - a - b):
                    total += 1
                    p, table = stats.mcnemar_exact(a, b), (both, a, b, n - a - b - both)
                    low, high = stats.newcombe_paired(*table)
                    contradicted += (p < 0.05) != (low > 0 or high < 0)
                    low, high = stats.accuracy_interval(*table)
                    assert (p < 0.05) == (low > 0 or high < 0), table
    assert total > 20_000
    assert contradicted > 0  # the interval alone would contradict the test


def test_a_row_against_itself_and_its_mirror() -> None:
    tasks = {"x": task(("a", curve(1, 0.7, 2.0)), ("b", curve(1, 0.7, 2.0)), ("c", curve(5, 0.6, 1.0)))}
    drawn = stats.draw_rows(tasks, 500)["aup_clipped"]
    same = stats.row_difference(drawn, "a", "b", 0.0, ["x"])
    assert (same.low, same.high, same.p) == (0.0, 0.0, 1.0)
    there, back = (stats.row_difference(drawn, *pair, 0.0, ["x"]) for pair in (("a", "c"), ("c", "a")))
    assert (there.low, there.high, there.p) == (-back.high, -back.low, back.p)
    assert there.p < 0.05


def test_tasks_average_out_and_seeds_are_shared_by_them() -> None:
    one = {"x": task(("a", curve(1, 0.7, 2.0)), ("b", curve(2, 0.7, 2.0)))}
    two = one | {"y": task(("a", curve(3, 0.7, 2.0)), ("b", curve(4, 0.7, 2.0)))}
    widths = [np.std(stats.draw_rows(tasks, 800)["aup"].difference("a", "b", list(tasks))) for tasks in (one, two)]
    assert widths[1] < widths[0]


def test_training_seeds_widen_the_interval() -> None:
    """Three equal seeds are one; seeds whose accuracies differ by far more than chance give a far wider interval."""

    def width(rates: list[float]) -> float:
        rows = [{str(s): samples(800, 3, rate, 1.0) for s, rate in enumerate(rates)}]
        tasks = {"x": task(("a", rows), ("b", [{"": samples(800, 9, 0.6, 1.0)}]))}
        drawn = stats.draw_rows(tasks, 2000)["aup_clipped"]
        return float(np.ptp(stats.rank_interval(drawn.difference("a", "b", ["x"]))))

    assert width([0.6, 0.6, 0.6]) == pytest.approx(width([0.6]))
    assert width([0.5, 0.6, 0.7]) > 3 * width([0.6])


def test_few_seeds_are_stretched() -> None:
    """As wide as Student's t: of the seeds alone where documents add nothing, and hardly where they are everything."""
    from scipy.stats import t

    stretch = harness.stats.rows.stretch
    assert stretch(0.0, [(4.0, 2)]) == pytest.approx(t.ppf(0.975, 2) / 1.959964, rel=1e-6)
    assert stretch(0.0, [(4.0, 2), (4.0, 2)]) == pytest.approx(t.ppf(0.975, 4) / 1.959964, rel=1e-6)
    assert stretch(3.0, []) == stretch(3.0, [(0.0, 2)]) == 1.0
    total = 100.0 + stretch(100.0, [(1.0, 2)]) ** 2 * 1.0
    assert np.sqrt(total / 101) == pytest.approx(1, abs=0.001)


def test_points_of_a_row_have_the_same_number_of_seeds() -> None:
    uneven = [*curve(1, 0.5, 1.0, seeds=2)[:1], *curve(1, 0.5, 1.0)[1:]]
    with pytest.raises(ValueError, match="training seeds"):
        stats.draw_rows({"x": task(("a", uneven))}, 100)


def test_rank_probabilities() -> None:
    tasks = {"x": task(("best", curve(1, 0.9, 4.0)), ("a", curve(2, 0.6, 1.0)), ("b", curve(2, 0.6, 1.0)))}
    chances = stats.rank_probabilities(stats.draw_rows(tasks, 300)["aup"], ["best", "a", "b"], ["x"])
    assert chances["best"] == [1.0, 0.0, 0.0]
    assert chances["a"] == chances["b"] == [0.0, 0.5, 0.5]


@given(st.lists(st.floats(0, 1), max_size=12))
def test_holm_against_its_definition(p: list[float]) -> None:
    adjusted = stats.holm(p)
    for alpha in (0.01, 0.05, 0.3):
        order = sorted(range(len(p)), key=lambda i: p[i])
        rejected = set()
        for step, index in enumerate(order):
            if p[index] * (len(p) - step) > alpha:
                break
            rejected.add(index)
        assert {i for i, value in enumerate(adjusted) if value <= alpha} == rejected


def test_examples_in_the_docs() -> None:
    assert doctest.testmod(harness.stats.rows).failed == 0
