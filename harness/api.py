"""The harness from Python: `harness.run`, `harness.sweep`, `harness.report` and `harness.compare`.

Each takes what its verb takes and returns an object that holds the numbers as DataFrames (`.to_frame()`) and shows
itself as a table in a notebook. torch is imported only by what decodes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.frames import ReportResult, RunResult, SweepResult

if TYPE_CHECKING:
    from harness.compare import Comparison

RUNS, REPORT = "results/runs", "out/report"


def run(
    method: str,
    task: str,
    *,
    suite: str = "mini",
    settings: Mapping[str, Any] | None = None,
    limit: float | None = None,
    seed: int = 0,
    out: str | Path = RUNS,
    progress: bool = False,
    **more: Any,
) -> RunResult:
    """Decode a task with a method, score it and store it; a finished run is read from the store.

    settings: values of the method's parameters (`harness ls methods NAME`). limit: only the first documents, or below 1
    that share of them. more: any other field of `harness.runner.RunSpec` (`batch_size`, `data_dir`, `checkpoint`, ...).
    Raises UsageError for an unknown name or a value out of range, and whatever ended the run.

    >>> import harness
    >>> result = harness.run("tad_speed", "gsm8k", limit=4)
    >>> result.summary["n_samples"]
    4
    >>> list(result.samples["doc_id"])
    [0, 1, 2, 3]
    >>> result.trace(0).to_frame().columns.tolist()
    ['forward', 'position', 'token']
    """
    from harness.runner import RunSpec, execute

    values: dict[str, Any] = {
        "suite": str(suite),
        "settings": dict(settings or {}),
        "limit": limit,
        "seed": seed,
        "out": str(out),
    }
    spec = RunSpec(method=method, task=task, **values, **_known(more))
    with _bars(progress) as bars:
        (outcome,) = execute([spec], progress=bars)
    if outcome.cause is not None:
        raise outcome.cause
    return RunResult(outcome)


def sweep(
    methods: str | Sequence[str] = (),
    tasks: str | Sequence[str] = (),
    *,
    suite: str = "mini",
    points: Mapping[str, Sequence[Any]] | Sequence[Any] | None = None,
    settings: Mapping[str, Any] | None = None,
    limit: float | None = None,
    seeds: Sequence[int] = (0,),
    out: str | Path = RUNS,
    progress: bool = False,
    **more: Any,
) -> SweepResult:
    """Run methods on tasks at every point of their sweeps, on this machine; finished runs are read from the store.

    methods, tasks: a name or several; none means all of the suite. points: values of every method's swept parameter, or
    method -> values or whole settings. more: as for `run`. A run that fails does not stop the others: see `.failed`.
    Raises UsageError for an unknown name, point or setting before anything runs.

    >>> import harness
    >>> result = harness.sweep("multi_block", "gsm8k", points=[0.0, 0.5], limit=4)
    >>> result.to_frame()["setting"].tolist()
    ['threshold=0.0', 'threshold=0.5']
    >>> result.failed
    []
    """
    from harness.runner import RunSpec
    from harness.sweep import Grid, Points
    from harness.sweep.local import Local
    from harness.sweep.run import make_plan, run_sweep

    base = RunSpec(method="", task="", suite=str(suite), limit=limit, out=str(out), **_known(more))
    items = points if isinstance(points, Mapping) else {} if points is None else {"all": points}
    grid = Grid(base, _names(methods), _names(tasks), Points(items, "points"), tuple(seeds), dict(settings or {}))
    plan = make_plan(grid)
    with _board(len(plan), progress) as board:
        return SweepResult(run_sweep(plan, Local(), board))


def report(
    runs: str | Path | Iterable[str | Path] = RUNS,
    *,
    published: Sequence[str] = (),
    suite: str | None = None,
    out: str | Path | None = None,
    figures: bool = True,
    page: bool = True,
    **more: Any,
) -> ReportResult:
    """Leaderboard, AUP and points of stored runs and of published papers ("d3llm", "tad").

    out: a folder for the files that `harness report` writes; None writes nothing. more: any other option of
    `reports.collect.collect` (`y_max`, `alpha`, `draws`, ...). Imports no torch.
    Raises ReportError when nothing is left to show, or for what cannot stand in one table.

    >>> import harness
    >>> made = harness.report([], published=["tad"], suite="llada", draws=0)
    >>> best = made.to_frame().iloc[0]
    >>> best["method"], f"{best['avg_accuracy']:.1f}"
    ('tad_speed', '49.9')
    """
    from reports.collect import collect
    from reports.write import write_report

    folders = [runs] if isinstance(runs, (str, Path)) else list(runs)
    made = collect([Path(folder) for folder in folders], list(published), suite=suite, **more)
    files = write_report(made, Path(out), figures=figures, page=page) if out is not None else []
    return ReportResult(made, tuple(files))


def compare(
    a: str | Path | RunResult, b: str | Path | RunResult, *, runs: str | Path = RUNS, **more: Any
) -> Comparison:
    """Two runs or two curves on the documents that both have: paired tests and a verdict in sentences.

    a, b: a result of `run`, a run's folder or id, or a folder with the runs of one curve. runs: the store to look for
    ids in. more: `any_protocol`, `seed`, `draws`. Raises UsageError when there is nothing to pair. Imports no torch.

    >>> import harness
    >>> strict, loose = (harness.run("multi_block", "gsm8k", limit=4, settings={"threshold": t}) for t in (0.0, 0.5))
    >>> harness.compare(strict, loose, draws=200).to_frame()["metric"].tolist()
    ['accuracy', 'tpf', 'aup_clipped', 'aup']
    """
    from harness.compare import compare as pair
    from harness.compare import side

    names = [str(one.path) if isinstance(one, RunResult) else str(one) for one in (a, b)]
    first, second = (side(name, [runs]) for name in names)
    return pair(first, second, **more)


def _names(names: str | Sequence[str]) -> list[str]:
    return [name.strip() for name in names.split(",")] if isinstance(names, str) else list(names)


def _known(more: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a RunSpec in `more`. Raises UsageError naming the closest field for another one."""
    from dataclasses import fields

    from harness.errors import unknown
    from harness.runner import RunSpec

    known = [item.name for item in fields(RunSpec)]
    for name in more:
        if name not in known:
            raise unknown("option", name, known)
    return {name: str(value) if isinstance(value, Path) else value for name, value in more.items()}


def _bars(progress: bool) -> Any:
    from contextlib import nullcontext

    from harness.progress import Bars

    return Bars(1) if progress else nullcontext()


def _board(runs: int, progress: bool) -> Any:
    from rich.console import Console

    from harness.sweep.progress import Board

    return Board(runs, Console(stderr=True, quiet=not progress))
