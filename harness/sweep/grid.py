"""From a grid (suite x methods x tasks x settings x seeds) to the list of runs, in the order that loads least."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from harness.errors import UsageError, unknown
from harness.runner.spec import RunSpec
from harness.settings import GEN_LENGTH, checked
from harness.sweep.points import Points
from methods import registry
from methods.method import Method


@dataclass(frozen=True)
class Grid:
    """What to sweep. Empty methods or tasks mean all of the suite; `base` holds what every run shares.

    `settings` overrides every point (the command line's `--set`).
    """

    base: RunSpec
    methods: Sequence[str] = ()
    tasks: Sequence[str] = ()
    points: Points = field(default_factory=Points)
    seeds: Sequence[int] = (0,)
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Group:
    """Runs that share a checkpoint and a task, and so their documents: they are decoded together."""

    checkpoint: str
    specs: tuple[RunSpec, ...]

    @property
    def name(self) -> str:
        methods = list(dict.fromkeys(spec.method for spec in self.specs))
        return f"{', '.join(methods)} {self.specs[0].task}"


def plan(grid: Grid, suite_methods: Iterable[str], suite_tasks: Iterable[str]) -> list[RunSpec]:
    """Every run of the grid, by checkpoint, method, task, seed and point; no run appears twice.

    Raises UsageError naming the unknown method, task or point, or an empty list of seeds.
    """
    methods = [registry.get(name) for name in _chosen("method", grid.methods, suite_methods, grid.base.suite)]
    tasks = _chosen("task", grid.tasks, suite_tasks, grid.base.suite)
    grid.points.check_names([method.name for method in methods])
    if not grid.seeds:
        raise UsageError("A sweep needs at least one seed.")
    first_seen = {method.checkpoint: i for i, method in reversed(list(enumerate(methods)))}
    methods.sort(key=lambda method: first_seen[method.checkpoint])
    specs = [
        replace(grid.base, method=method.name, task=task, seed=seed, settings={**setting, **_own(method, grid)})
        for method in methods
        for task in tasks
        for seed in dict.fromkeys(grid.seeds)
        for setting in grid.points.of(method)
    ]
    # `--set` on the axis makes all points of a method one
    return list({run_text(spec): spec for spec in specs}.values())


def _chosen(kind: str, asked: Sequence[str], known: Iterable[str], suite: str) -> list[str]:
    names = list(known)
    for name in asked:
        if name not in names:
            raise unknown(f"{kind} of the suite {suite}", name, names)
    return list(dict.fromkeys(asked)) or names


def _own(method: Method, grid: Grid) -> dict[str, Any]:
    """The part of `--set` that this method knows; a key that no method knows is refused by the caller."""
    known = {name: value for name, value in grid.settings.items() if name in method.params or name == GEN_LENGTH}
    return checked(method, known)


def groups(specs: Iterable[RunSpec]) -> list[Group]:
    """The runs of one checkpoint and task, whatever their methods, so that canvases they share are computed once."""
    return _grouped(specs, lambda spec: (checkpoint_of(spec), spec.task))


def by_method(specs: Iterable[RunSpec]) -> list[Group]:
    """The runs of one checkpoint, method and task."""
    return _grouped(specs, lambda spec: (checkpoint_of(spec), spec.method, spec.task))


def _grouped(specs: Iterable[RunSpec], key: Callable[[RunSpec], tuple[str, ...]]) -> list[Group]:
    """Groups by `key`, whose first part is the checkpoint; checkpoints and then groups in the order of the plan."""
    checkpoints: dict[str, dict[tuple[str, ...], list[RunSpec]]] = {}
    for spec in specs:
        checkpoints.setdefault(checkpoint_of(spec), {}).setdefault(key(spec), []).append(spec)
    return [Group(name, tuple(same)) for name, found in checkpoints.items() for same in found.values()]


def checkpoint_of(spec: RunSpec) -> str:
    """What decides which weights a run loads: the given checkpoint, or the method's key in the suite, plus adapter."""
    weights = spec.checkpoint or registry.get(spec.method).checkpoint
    return f"{weights}+{spec.adapter}" if spec.adapter else weights


def store_of(spec: RunSpec) -> Path:
    """The folder that holds the runs of a spec's method and task."""
    from harness.suites import load_suite

    return Path(spec.out) / load_suite(spec.suite).name / spec.method / spec.task


def setting_text(spec: RunSpec) -> str:
    """The swept values of a run in words, `-` for none."""
    return " ".join(f"{name}={value}" for name, value in spec.settings.items()) or "-"


def run_text(spec: RunSpec) -> str:
    """A run in a few words: `tad_speed gsm8k threshold=0.5`."""
    words = [spec.method, spec.task, *([setting_text(spec)] if spec.settings else [])]
    return " ".join(words + ([f"seed={spec.seed}"] if spec.seed else []))
