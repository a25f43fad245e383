"""`kill -9` at random moments of a sweep, then continue: the store equals an uninterrupted one, line by line."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.harness.tiny import write_suite
from tests.sweep import sweeping


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> str:
    sweeping.preload()
    return str(write_suite(tmp_path_factory.mktemp("suite")))


@pytest.fixture(scope="module")
def uninterrupted(suite: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    out = tmp_path_factory.mktemp("uninterrupted")
    assert [outcome.state for outcome in sweeping.sweep(sweeping.specs(suite, out))] == ["done"] * 4
    return sweeping.content(out)


def killed_and_continued(tries: int, suite: str, expected: dict[str, list[str]], place: Path) -> list[dict[str, int]]:
    """One row per try: samples stored when it was killed, and what differs after continuing."""
    rng = random.Random(tries)
    total = sum(len(lines) - 1 for lines in expected.values())
    rows = []
    for i in range(tries):
        out = place / str(i)
        plan = sweeping.specs(suite, out)
        at = sweeping.kill_at(plan, out, rng.randrange(total), rng)
        outcomes = sweeping.sweep(plan)
        assert [outcome.state for outcome in outcomes if outcome.state == "failed"] == []
        new = sum(outcome.new for outcome in outcomes)
        rows.append(
            {
                "killed at": at,
                "decoded again": at + new - total,
                **sweeping.differences(sweeping.content(out), expected),
            }
        )
    return rows


def check(rows: list[dict[str, int]]) -> None:
    assert sum(row["lost"] + row["doubled"] + row["runs that differ"] for row in rows) == 0, rows
    assert len({row["killed at"] for row in rows}) > 1, "the moments must differ"


def test_five_random_moments(suite: str, uninterrupted: dict[str, list[str]], tmp_path: Path) -> None:
    check(killed_and_continued(5, suite, uninterrupted, tmp_path))


@pytest.mark.slow
def test_fifty_random_moments(
    suite: str, uninterrupted: dict[str, list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = killed_and_continued(50, suite, uninterrupted, tmp_path)
    with capsys.disabled():
        print("\ntry  " + "  ".join(rows[0]))
        for i, row in enumerate(rows, 1):
            print(f"{i:3}  " + "  ".join(f"{value:>{len(name)}}" for name, value in row.items()))
        print("sum  " + "  ".join(f"{sum(row[name] for row in rows):>{len(name)}}" for name in rows[0]))
    check(rows)


def test_the_same_plan_again_decodes_nothing(suite: str, tmp_path: Path) -> None:
    plan = sweeping.specs(suite, tmp_path)[:2]
    sweeping.sweep(plan)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.json*")}
    outcomes = sweeping.sweep(plan)
    assert [(outcome.state, outcome.new) for outcome in outcomes] == [("stored", 0)] * 2
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.json*")} == before


def test_a_comparison_that_finds_a_lost_and_a_doubled_line(suite: str, uninterrupted: dict[str, list[str]]) -> None:
    """The check above is not blind."""
    run = next(iter(uninterrupted))
    lines = uninterrupted[run]
    lost = sweeping.differences({**uninterrupted, run: lines[1:]}, uninterrupted)
    assert lost == {"lost": 1, "doubled": 0, "runs that differ": 1}
    doubled = sweeping.differences({**uninterrupted, run: [lines[0], *lines]}, uninterrupted)
    assert doubled == {"lost": 0, "doubled": 1, "runs that differ": 1}
