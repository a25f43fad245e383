"""The grid: what runs, in which order, split how; what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import UsageError
from harness.runner.spec import RunSpec
from harness.sweep import Grid, groups, parse_points, parse_shard, plan, shard
from harness.sweep.grid import by_method, run_text
from methods.errors import MethodsUsageError
from methods.method import Method

BASE = RunSpec(method="", task="", limit=5)
ALL = ["slow", "trained", "fast", "ar"]
TASKS = ["gsm8k", "math"]
SIZES = {"slow, fast": 8, "trained": 4, "ar": 2}


def planned(points: str = "", **changes: object) -> list[RunSpec]:
    return plan(Grid(BASE, points=parse_points(points), **changes), ALL, TASKS)  # type: ignore[arg-type]


@pytest.mark.usefixtures("fake_methods")
class TestPlan:
    def test_own_points_by_default(self) -> None:
        specs = planned()
        assert len(specs) == 2 * (2 + 2 + 2 + 1)
        assert [s.settings for s in specs if (s.method, s.task) == ("slow", "gsm8k")] == [
            {"threshold": 0.9},
            {"threshold": 0.5},
        ]
        assert [s.settings for s in specs if s.method == "ar"] == [{}, {}]
        assert all(s.limit == 5 for s in specs)

    def test_a_checkpoint_is_loaded_once(self) -> None:
        found = groups(planned(seeds=[0, 1]))
        assert [group.name for group in found[:2]] == ["slow, fast gsm8k", "slow, fast math"]
        order = [group.checkpoint for group in found]
        assert order == sorted(order, key=order.index)
        sizes = {group.name: len(group.specs) for group in found}
        assert sizes == {f"{name} {task}": n for name, n in SIZES.items() for task in TASKS}

    def test_methods_apart_for_an_estimate(self) -> None:
        found = by_method(planned(seeds=[0, 1]))
        assert [group.name for group in found[:4]] == ["slow gsm8k", "slow math", "fast gsm8k", "fast math"]

    def test_points_for_all_and_for_one(self) -> None:
        specs = planned("0.3,0.7,0.3;fast=0.1")
        assert [s.settings["threshold"] for s in specs if (s.method, s.task) == ("slow", "math")] == [0.3, 0.7]
        assert [s.settings["threshold"] for s in specs if (s.method, s.task) == ("fast", "math")] == [0.1]

    def test_points_from_a_file(self, tmp_path: Path) -> None:
        file = tmp_path / "points.yaml"
        file.write_text("fast:\n  - 0.2\n  - {threshold: 0.3, block_size: 16, gen_length: 64}\n")
        specs = [s for s in planned(str(file)) if (s.method, s.task) == ("fast", "gsm8k")]
        assert [s.settings for s in specs] == [
            {"threshold": 0.2},
            {"threshold": 0.3, "block_size": 16, "gen_length": 64},
        ]
        assert len([s for s in planned(str(file)) if s.method == "slow"]) == 4

    def test_set_overrides_every_point_once(self) -> None:
        specs = planned(settings={"threshold": "0.25", "block_size": "8"})
        assert [run_text(s) for s in specs if s.task == "math"][:2] == [
            "slow math threshold=0.25 block_size=8",
            "fast math threshold=0.25 block_size=8",
        ]

    def test_subsets_keep_their_order(self) -> None:
        specs = planned(methods=["fast", "slow"], tasks=["math"])
        assert [s.method for s in specs] == ["fast", "fast", "slow", "slow"]

    def test_seeds_multiply(self) -> None:
        assert {s.seed for s in planned(seeds=[3, 1, 3])} == {1, 3}
        assert len(planned(seeds=[3, 1, 3])) == 2 * len(planned())

    @pytest.mark.parametrize(
        ("points", "changes", "error", "words"),
        [
            ("", {"methods": ["fats"]}, UsageError, "Did you mean 'fast'"),
            ("", {"tasks": ["maths"]}, UsageError, "Did you mean 'math'"),
            ("", {"seeds": []}, UsageError, "at least one seed"),
            ("fats=0.5", {}, UsageError, "Did you mean 'fast'"),
            ("1.5", {}, MethodsUsageError, "threshold=1.5 is not allowed"),
            ("ar=0.5", {}, UsageError, "no axis"),
            ("=0.5", {}, UsageError, "neither"),
            ("nowhere.yaml", {}, UsageError, "cannot be read"),
            ("", {"settings": {"gen_length": "-1"}}, UsageError, "gen_length is an integer of at least 1"),
        ],
    )
    def test_mistakes_are_named(self, points: str, changes: dict[str, object], error: type, words: str) -> None:
        with pytest.raises(error, match=words) as caught:
            planned(points, **changes)
        assert caught.value.exit_code == 2

    @pytest.mark.parametrize("text", ["[1, 2]", "fast: 0.5", "fast: []", "a: [: b"])
    def test_a_bad_points_file_is_named(self, tmp_path: Path, text: str) -> None:
        file = tmp_path / "points.yaml"
        file.write_text(text)
        with pytest.raises(UsageError, match=r"points\.yaml"):
            planned(str(file))


def test_all_skips_a_method_without_a_knob(fake_methods: dict[str, Method]) -> None:
    assert parse_points("0.5").of(fake_methods["ar"]) == [{}]


@given(st.lists(st.integers(), max_size=200, unique=True), st.integers(1, 12))
def test_shards_hold_everything_once(items: list[int], parts: int) -> None:
    found = [shard(items, part, parts) for part in range(1, parts + 1)]
    assert sorted(item for part in found for item in part) == sorted(items)
    assert max(map(len, found)) - min(map(len, found)) <= 1
    assert all(part == sorted(part, key=items.index) for part in found)


@given(st.integers(1, 8), st.integers(2, 10))
def test_no_shard_gets_all_the_slow_points(points: int, parts: int) -> None:
    """Curves of `parts` points dealt over `parts` machines: the slowest points of two curves go to two machines."""
    items = [(curve, point) for curve in range(2 * points) for point in range(parts)]
    slow = [sum(point == 0 for _, point in shard(items, part, parts)) for part in range(1, parts + 1)]
    assert max(slow) == points


@pytest.mark.parametrize(("text", "expected"), [(None, (1, 1)), ("1/4", (1, 4)), ("4/4", (4, 4))])
def test_shard_text(text: str | None, expected: tuple[int, int]) -> None:
    assert parse_shard(text) == expected


@pytest.mark.parametrize("text", ["0/4", "5/4", "1", "a/b", "1/0", "-1/3"])
def test_bad_shard_text(text: str) -> None:
    with pytest.raises(UsageError, match="i/n"):
        parse_shard(text)
