"""AFP and Kendall's tau: against scipy, at their ends, and from stored traces."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kendalltau

import reports.order
from reports.collect import collect
from reports.order import afp, kendall_tau, order_of
from reports.runs import read_runs
from tests.reports.make_runs import make_run


@given(st.lists(st.integers(1, 12), min_size=2, max_size=40))
def test_tau_is_tau_b(steps: list[int]) -> None:
    if len(set(steps)) < 2:
        assert kendall_tau(steps) is None
    else:
        assert kendall_tau(steps) == pytest.approx(kendalltau(range(len(steps)), steps).statistic)


def test_the_ends() -> None:
    assert afp([1, 2, 3, 4]) == 1.0
    assert afp([1, 1, 1, 1]) == 4.0
    assert afp([1, 0, 3, 3]) == 1.5  # a slot that was never committed is no token
    assert afp([]) is None
    assert kendall_tau([4, 3, 2, 1]) == -1.0
    assert kendall_tau([0, 5]) is None


def test_the_tail_after_the_kept_tokens_does_not_count(tmp_path: Path) -> None:
    path = make_run(tmp_path, n=4)
    lines = [json.loads(line) for line in (path / "samples.jsonl").read_text().splitlines()]
    ((run,), _) = read_runs([tmp_path])
    parallel, tau = order_of(run)
    kept = [line["trace"][: line["tokens"]] for line in lines]
    assert parallel == pytest.approx(sum(afp(steps) or 0 for steps in kept) / 4)
    assert tau == pytest.approx(sum(kendall_tau(steps) or 0 for steps in kept) / 4)
    only = order_of(run, {"0"})
    assert only == (afp(kept[0]), kendall_tau(kept[0]))


def test_points_carry_them(tmp_path: Path) -> None:
    make_run(tmp_path)
    (point,) = collect([tmp_path], draws=0).points
    assert point.afp is not None
    assert point.afp > 1
    assert point.kendall_tau is not None
    assert 0 < point.kendall_tau <= 1


def test_examples_in_the_docs() -> None:
    import doctest

    assert doctest.testmod(reports.order).failed == 0
