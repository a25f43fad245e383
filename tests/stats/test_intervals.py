"""Intervals against scipy, against their own invariants and against the truth of simulated runs."""

from __future__ import annotations

import importlib.util
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from harness import stats

_SPEC = importlib.util.spec_from_file_location(
    "coverage_simulation", Path(__file__).parents[2] / "benchmarks" / "coverage.py"
)
assert _SPEC is not None
assert _SPEC.loader is not None
simulation = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(simulation)


@given(st.integers(1, 3000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_equals_scipy(counts: tuple[int, int]) -> None:
    k, n = counts
    expected = binomtest(k, n).proportion_ci(0.95, method="wilson")
    assert stats.wilson(k, n) == pytest.approx((100 * expected.low, 100 * expected.high), abs=1e-9)


def test_wilson_edges() -> None:
    assert stats.wilson(0, 0) == (0.0, 100.0)
    assert stats.wilson(0, 10)[0] == 0.0
    assert stats.wilson(10, 10)[1] == 100.0
    with pytest.raises(ValueError, match="11 of 10"):
        stats.wilson(11, 10)


lengths = st.lists(st.tuples(st.integers(1, 300), st.integers(1, 60)), min_size=5, max_size=60)


@settings(max_examples=60, deadline=None)
@given(lengths, st.integers(0, 5))
def test_ratio_interval_invariants(samples: list[tuple[int, int]], seed: int) -> None:
    tokens, forwards = map(list, zip(*samples, strict=True))
    low, high = stats.bootstrap_ratio(tokens, forwards, seed=seed, draws=300)
    assert (low, high) == stats.bootstrap_ratio(tokens, forwards, seed=seed, draws=300)
    assert 0 < low <= high
    ten_low, ten_high = stats.bootstrap_ratio([10 * t for t in tokens], forwards, seed=seed, draws=300)
    assert (ten_low, ten_high) == pytest.approx((10 * low, 10 * high), rel=1e-6)


def test_ratio_interval_edges() -> None:
    assert all(math.isnan(x) for x in stats.bootstrap_ratio([5], [2]))
    assert all(math.isnan(x) for x in stats.bootstrap_ratio([], []))
    assert all(math.isnan(x) for x in stats.bootstrap_ratio([0, 0], [3, 4]))
    assert stats.bootstrap_ratio([6, 9, 12, 3, 3], [2, 3, 4, 1, 1]) == pytest.approx((3.0, 3.0))
    with pytest.raises(ValueError, match="same length"):
        stats.bootstrap_ratio([1, 2], [1])


@pytest.mark.parametrize("n", [2, 3, 4])
def test_tiny_runs_have_no_ratio_interval(n: int) -> None:
    assert all(math.isnan(x) for x in stats.bootstrap_ratio([5, 9, 2, 7][:n], [2, 3, 2, 4][:n]))
    assert not any(math.isnan(x) for x in stats.bootstrap_ratio([5, 9, 2, 7, 1], [2, 3, 2, 4, 1]))


def test_weights_sum_to_the_number_of_documents() -> None:
    blocks = stats.resample_weights(7000, 700, 3)
    assert len(blocks) > 1
    assert sum(len(block) for block in blocks) == 700
    assert all(np.all(block.sum(axis=1) == 7000) for block in blocks)


@pytest.mark.parametrize("case", simulation.CASES)
def test_intervals_cover_the_truth(case: str) -> None:
    """1000 simulated runs a case; 93-97 % of the intervals hold the true value."""
    found = simulation.coverage(case, runs=1000, draws=400)
    assert simulation.ok(case, found["covered"]), found


def test_coverage_check_can_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half-wide intervals are caught: the check is not blind."""
    case = next(name for name in simulation.CASES if name.startswith("TPF ("))

    def narrow(rng: np.random.Generator, draws: int) -> tuple[float, float, float]:
        point = simulation.simulate(rng, 164)["fast"][1]
        return (*stats.bootstrap_ratio(point.tokens, point.forwards, draws=draws, confidence=0.68), 4.0)

    monkeypatch.setitem(simulation.CASES, case, narrow)
    assert not simulation.ok(case, simulation.coverage(case, runs=200, draws=200)["covered"])


def test_the_simulation_of_tables_shows_what_clipping_is_for() -> None:
    """Few simulated benchmarks suffice: AUP's worst bias is many times clipped AUP's, whose means are covered."""
    spec = importlib.util.spec_from_file_location(
        "table_simulation", Path(__file__).parents[2] / "benchmarks" / "aup.py"
    )
    assert spec is not None
    assert spec.loader is not None
    tables = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tables)
    found = tables.summary(tables.run(250, 40, 200))
    worst = {kind: max(abs(1 - found[kind][f"bias_{end}"]) for end in ("lowest", "highest")) for kind in tables.AREAS}
    assert worst["aup"] > 0.25
    assert worst["aup_clipped"] < 0.2
    assert found["aup_clipped"]["mean_coverage"] > 88
    assert found["aup_clipped"]["power"]["d3llm - tad_speed"] > found["aup"]["power"]["d3llm - tad_speed"] + 15
