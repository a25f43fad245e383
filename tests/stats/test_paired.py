"""Paired comparisons: McNemar against scipy, swaps change signs only, seeds combine as they should."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from harness import stats


def samples(n: int, seed: int, rate: float = 0.6, tpf: float = 3.0) -> stats.Samples:
    rng = np.random.default_rng(seed)
    tokens = rng.integers(20, 200, n).astype(float)
    forwards = np.maximum(1, np.round(tokens / tpf * rng.uniform(0.7, 1.3, n)))
    return stats.Samples(tuple(map(str, range(n))), (rng.random(n) < rate).astype(float), tokens, forwards)


@given(st.integers(0, 400), st.integers(0, 400))
def test_mcnemar_equals_the_sign_test(only_a: int, only_b: int) -> None:
    expected = binomtest(only_a, only_a + only_b).pvalue if only_a + only_b else 1.0
    assert stats.mcnemar_exact(only_a, only_b) == pytest.approx(expected, rel=1e-7, abs=1e-12)


@given(*[st.integers(0, 200)] * 4)
def test_newcombe_holds_the_difference_and_swaps(both: int, only_a: int, only_b: int, neither: int) -> None:
    low, high = stats.newcombe_paired(both, only_a, only_b, neither)
    n = both + only_a + only_b + neither
    difference = 100 * (only_a - only_b) / n if n else 0.0
    assert -100 <= low <= difference + 1e-9
    assert difference - 1e-9 <= high <= 100
    assert stats.newcombe_paired(both, only_b, only_a, neither) == pytest.approx((-high, -low), abs=1e-9)


def test_newcombe_published_example() -> None:
    """Newcombe 1998, table III, method 10: 36, 12, 2, 0 of 50 gives 5.69 to 34.04 points."""
    assert stats.newcombe_paired(36, 12, 2, 0) == pytest.approx((5.69, 34.04), abs=0.01)


def test_paired_accuracy_counts_and_effect() -> None:
    pair = stats.paired_accuracy([1, 1, 1, 0, 0], [1, 0, 0, 1, 0])
    assert (pair.only_a, pair.only_b, pair.n, pair.difference) == (2, 1, 5, 20.0)
    assert pair.g == pytest.approx(2 / 3 - 0.5)
    with pytest.raises(ValueError, match="same documents"):
        stats.paired_accuracy([1], [1, 0])


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 80), st.integers(0, 99))
def test_paired_ratio_swaps(n: int, seed: int) -> None:
    a, b = samples(n, seed), samples(n, seed + 1, tpf=4.0)
    there, back = stats.paired_ratio(a, b, draws=200), stats.paired_ratio(b, a, draws=200)
    assert there.difference == pytest.approx(-back.difference)
    assert (there.low, there.high) == pytest.approx((-back.high, -back.low))
    assert there.p == back.p


def test_a_run_against_itself_shows_nothing() -> None:
    run = samples(50, 1)
    same = stats.paired_ratio(run, run)
    assert (same.difference, same.low, same.high, same.ratio, same.p) == (0, 0, 0, 1, 1)
    assert stats.paired_accuracy(run.correct, run.correct).p == 1.0
    assert stats.paired_aup([run], [run], draws=100).p == 1.0


def test_pairing_is_narrower_than_two_separate_intervals() -> None:
    a = samples(164, 3)
    b = stats.Samples(a.doc_ids, a.correct, a.tokens, np.round(a.forwards * 1.1))
    pair = stats.paired_ratio(a, b)
    low, high = stats.bootstrap_ratio(a.tokens, a.forwards)
    assert pair.high - pair.low < (high - low) / 2
    assert pair.p < 0.01


def test_documents_are_lined_up_by_name() -> None:
    a, b = samples(10, 1), samples(10, 2)
    shuffled = b.on(list(reversed(b.doc_ids)))
    left, right = stats.aligned([a, shuffled.on([d for d in shuffled.doc_ids if d != "4"])])
    assert left.doc_ids == right.doc_ids
    assert "4" not in left.doc_ids
    assert np.array_equal(right.tokens, b.on(left.doc_ids).tokens)
    with pytest.raises(ValueError, match="same documents"):
        stats.paired_ratio(a, shuffled)


def test_samples_from_lines() -> None:
    lines = [
        {
            "doc_id": 1,
            "correct": True,
            "tokens": 10,
            "forwards": {"prefill": 1, "denoise": 4, "refresh": 0, "draft": 9},
        },
        {"doc_id": 2, "correct": 0, "tokens": 0, "forwards": {"denoise": 2}},
        {"doc_id": 3, "correct": 0, "outcome": "error", "tokens": 50, "forwards": {"denoise": 2}},
        {"doc_id": 4, "correct": 0, "outcome": "truncated", "truncated": True, "tokens": 0, "forwards": {}},
        {"doc_id": 1, "correct": False, "tokens": 12, "forwards": {"denoise": 4}},
    ]
    run = stats.Samples.from_rows(lines)
    assert (run.doc_ids, run.unscored) == (("1", "2", "4"), 1)
    assert (run.accuracy, run.tpf) == (0.0, 2.0)
    assert stats.Samples.from_rows(lines[:1]).tpf == 2.0


def test_seeds_combine_and_show_their_spread() -> None:
    runs = [samples(100, seed) for seed in range(4)]
    spread = stats.combine_seeds(runs)
    accuracies = [run.accuracy for run in runs]
    assert spread.accuracy == pytest.approx(np.mean(accuracies))
    assert spread.accuracy_sd == pytest.approx(np.std(accuracies, ddof=1))
    assert spread.accuracy_range == (min(accuracies), max(accuracies))
    assert spread.tpf == pytest.approx(sum(r.tokens.sum() for r in runs) / sum(r.forwards.sum() for r in runs))
    assert (spread.n_seeds, spread.n_samples) == (4, 400)
    assert spread.accuracy_ci95[0] < spread.accuracy < spread.accuracy_ci95[1]


def test_one_seed_is_the_run_itself() -> None:
    run = samples(100, 0)
    spread = stats.combine_seeds([run])
    assert spread.accuracy_ci95 == stats.wilson(int(run.correct.sum()), 100)
    assert spread.tpf_ci95 == stats.bootstrap_ratio(run.tokens, run.forwards)
    assert math.isnan(spread.accuracy_sd)
    with pytest.raises(ValueError, match="no seed"):
        stats.combine_seeds([])


def test_seeds_that_agree_add_no_documents() -> None:
    run = samples(100, 0)
    assert stats.combine_seeds([run, run, run]).accuracy_ci95 == stats.combine_seeds([run]).accuracy_ci95
