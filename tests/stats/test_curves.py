"""The vectorised AUP equals `reports.aup`, and the joint bootstrap shares its documents."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import stats
from reports.aup import aup
from tests.stats.test_paired import samples

points = st.lists(st.tuples(st.floats(0.1, 20), st.floats(0, 100)), min_size=1, max_size=7)


@settings(max_examples=300, deadline=None)
@given(points, st.floats(0, 40), st.sampled_from([1.0, 3.0, 10.0]), st.sampled_from([0.0, 2.5, 5.0, 100.0]))
def test_rows_equal_the_scalar_form(curve: list[tuple[float, float]], above: float, alpha: float, drop: float) -> None:
    best = max(accuracy for _, accuracy in curve) + above
    if best <= 0:
        best = 1.0
    tpf, accuracy = (np.array([column]) for column in zip(*curve, strict=True))
    row = stats.aup_rows(tpf, accuracy, np.array([best]), alpha, drop)[0]
    assert row == pytest.approx(aup(curve, best, alpha, drop), rel=1e-9, abs=1e-9)


def test_rows_do_not_mix() -> None:
    rng = np.random.default_rng(0)
    tpf, accuracy = rng.uniform(1, 9, (50, 4)), rng.uniform(40, 60, (50, 4))
    best = accuracy.max(axis=1)
    rows = stats.aup_rows(tpf, accuracy, best)
    single = [stats.aup_rows(tpf[i : i + 1], accuracy[i : i + 1], best[i : i + 1])[0] for i in range(50)]
    assert rows == pytest.approx(single)


def test_all_wrong_is_zero_area() -> None:
    assert stats.aup_rows(np.array([[1.0, 2.0]]), np.zeros((1, 2)), np.zeros(1))[0] == 0.0


def test_the_interval_holds_the_measured_value_and_is_repeatable() -> None:
    curves = {"a": [samples(200, 1, 0.7, 1.0), samples(200, 2, 0.69, 3.0)], "b": [samples(200, 3, 0.8, 1.0)]}
    best = max(point.accuracy for curve in curves.values() for point in curve)
    intervals = stats.bootstrap_aup(curves)
    assert intervals == stats.bootstrap_aup(curves)
    for name, curve in curves.items():
        low, high = intervals[name]
        assert low < aup([(point.tpf, point.accuracy) for point in curve], best) < high


def test_a_document_is_drawn_for_every_point_at_once() -> None:
    """Two identical curves get identical draws, in whatever order their samples are stored."""
    run = samples(80, 1)
    backwards = run.on(list(reversed(run.doc_ids)))
    drawn = stats.bootstrap_aups({"a": [run], "b": [backwards]}, draws=300)
    assert np.allclose(drawn["a"], drawn["b"])


def test_y_max_is_drawn_anew_but_constants_hold_it_up() -> None:
    slow, fast = samples(80, 1, 0.6, 1.0), samples(80, 2, 0.6, 3.0)
    curve = [slow, stats.Samples(fast.doc_ids, slow.correct, fast.tokens, fast.forwards)]
    alone = stats.bootstrap_aups({"a": curve}, draws=200)["a"]
    beside = stats.bootstrap_aups({"a": curve}, constant=[99.0], draws=200)["a"]
    assert np.all(beside < alone)


def test_a_missing_document_does_not_count_as_wrong() -> None:
    full = samples(60, 1)
    half = full.on([str(i) for i in range(30)])
    drawn = stats.bootstrap_aups({"a": [full], "b": [half]}, draws=2000)
    assert np.mean(drawn["b"]) == pytest.approx(half.tpf * half.accuracy, rel=0.05)
    with pytest.raises(ValueError, match="every point a sample"):
        stats.bootstrap_aups({"a": [full.on([])]})
    with pytest.raises(ValueError, match="needs a point"):
        stats.bootstrap_aups({"a": []})


def test_another_aup_can_be_handed_in() -> None:
    curves = {"a": [samples(40, 1)]}
    drawn = stats.bootstrap_aups(curves, aup=lambda tpf, accuracy, best: tpf[:, 0] * 0 + best, draws=50)["a"]
    assert np.all((drawn > 0) & (drawn <= 100))
