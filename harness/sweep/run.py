"""A sweep from its plan to its end: executor, refinement, and the report on it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from harness.errors import UsageError, unknown
from harness.labels import check_one_method_each
from harness.runner.spec import RunSpec
from harness.sweep.grid import Grid, Group, groups, plan
from harness.sweep.progress import Board
from harness.sweep.refine import Refinement, curve_key, refine
from harness.sweep.shard import shard
from harness.sweep.waiting import waiting
from methods import registry

if TYPE_CHECKING:
    from harness.runner.execute import Outcome


class Executor(Protocol):
    """Something that runs groups and says how each of their runs ended."""

    def __call__(self, groups: Sequence[Group], board: Board) -> list[Outcome]: ...

    def close(self) -> None: ...


def make_plan(grid: Grid, part: tuple[int, int] = (1, 1), *, by_curve: bool = False) -> list[RunSpec]:
    """The grid's runs, or one shard of them, every name and value checked before anything runs.

    by_curve: shards hold whole curves (a refinement needs all points of one). Raises UsageError with the sentence
    for the first thing that is wrong, and for a shard or a suite without any run.
    """
    from harness.runner import choose
    from harness.suites import load_suite

    suite = load_suite(grid.base.suite)
    for name in grid.methods:
        registry.get(name)
    methods = list(grid.methods) or available(suite, grid.base)
    specs = plan(grid, methods, suite.tasks)
    _check_settings(grid, specs)
    choices = [choose(spec) for spec in specs]
    check_one_method_each({(one.suite.name, one.method.name): one.label for one in choices})
    return part_of(specs, part, by_curve)


def part_of(specs: list[RunSpec], part: tuple[int, int], by_curve: bool) -> list[RunSpec]:
    """Part i of n of a plan; by_curve: whole curves. Raises UsageError for a part without any run."""
    if by_curve:
        mine = set(shard(list(dict.fromkeys(map(curve_key, specs))), *part))
        chosen = [spec for spec in specs if curve_key(spec) in mine]
    else:
        chosen = shard(specs, *part)
    if not chosen:
        raise UsageError(f"Part {part[0]} of {part[1]} holds none of the {len(specs)} runs; use fewer parts.")
    return chosen


def available(suite: Any, base: RunSpec) -> list[str]:
    """The methods a sweep of a suite runs by default: those it can name a checkpoint for, in its own order."""
    methods = registry.all_methods()
    names = [*(name for name in suite.methods if name in methods), *registry.names()]
    found = [name for name in dict.fromkeys(names) if base.checkpoint or methods[name].checkpoint in suite.checkpoints]
    if not found:
        raise UsageError(f"The suite {suite.name} names no checkpoint for any method; give --checkpoint.")
    return found


def _check_settings(grid: Grid, specs: Sequence[RunSpec]) -> None:
    known = {"gen_length"}.union(*(registry.get(spec.method).params for spec in specs))
    for name in grid.settings:
        if name not in known:
            raise unknown("setting of these methods", name, known)


def run_sweep(
    specs: Sequence[RunSpec],
    executor: Executor,
    board: Board,
    refinement: Refinement | None = None,
    *,
    wait: bool = True,
) -> list[Outcome]:
    """Run a plan and its refinement; outcomes in the order of the plan, added points after them.

    wait: for runs that another process is writing; otherwise they fail at once.
    """
    work = waiting(executor) if wait else executor

    def execute(more: list[Group]) -> list[Outcome]:
        board.more(sum(len(group.specs) for group in more))
        return work(more, board)

    try:
        ended = {repr(outcome.spec): outcome for outcome in work(groups(specs), board)}
        outcomes = [ended[repr(spec)] for spec in specs]
        if refinement:
            outcomes = [*outcomes, *refine(specs, outcomes, refinement, execute)]
        return outcomes
    finally:
        executor.close()
