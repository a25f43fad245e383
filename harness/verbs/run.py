"""`harness run`: one method on one task, one run folder; under torchrun or accelerate by several processes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from harness import options as options_
from harness.options import (
    Config,
    Format,
    Json,
    PrintConfig,
    RunOptions,
    Set,
    refuse_beside_config,
    with_run_options,
)
from harness.terminal import echo

if TYPE_CHECKING:
    from harness.runner.spec import RunSpec

EXAMPLE = "Example: harness run --method tad_speed --task gsm8k --limit 50 --set threshold=0.4"


VERIFY = ("verify", "limit", "batch_size", "device", "out", "form", "json")  # a stored run says all the rest itself


@with_run_options
def run(
    ctx: typer.Context,
    config: Config = None,
    print_config: PrintConfig = False,
    method: str | None = typer.Option(
        None, "--method", "-m", help="A method of `harness ls methods`.", autocompletion=options_.methods
    ),
    task: str | None = typer.Option(
        None, "--task", "-t", help="A task of `harness ls tasks`.", autocompletion=options_.tasks
    ),
    settings: Set = [],  # noqa: B006  (typer's way to say: may be repeated)
    seed: int = typer.Option(0, help="Seed of a method that samples."),
    fresh: bool = typer.Option(False, "--fresh", help="Set a stored run aside and start over."),
    verify: str | None = typer.Option(None, metavar="RUN", help="Repeat a stored run and report the first difference."),
    form: Format = "table",
    json: Json = False,
    *,
    options: RunOptions,
) -> None:
    """Decode a task with a method, score it and store it; the same command again continues, or shows the result."""
    from harness.distributed import alone, join, only_first_rank_prints
    from harness.errors import UsageError
    from harness.settings import parse

    def spec() -> RunSpec:
        if config is not None:
            return _only_run(config, refuse_beside_config(ctx, ("fresh", "form", "json")), fresh)
        if method is None or task is None:
            raise UsageError(
                "harness run needs --method and --task (or --verify RUN); `harness ls methods` lists them."
            )
        _refuse_several(method, task)
        return options.spec(method=method, task=task, settings=parse(settings), seed=seed, fresh=fresh)

    if print_config:
        _print_config(spec())
        return
    as_json = options_.form(form, json) == "json"
    if verify is not None:
        _refuse_others(ctx)
        alone()
        _verify(verify, options, as_json)
        return
    with only_first_rank_prints():
        ranks = join()
        _run(ranks.attempt(spec), ranks, options_.form(form, json))


def _only_run(config: Path, changes: dict[str, Any], fresh: bool) -> RunSpec:
    """The run of an experiment file that has one. Raises UsageError for a file with several."""
    from harness.errors import UsageError
    from harness.experiment import read

    experiment = read(config)
    specs = experiment.plan(**changes, fresh=fresh)
    if len(specs) != 1:
        raise UsageError(f"{config} means {len(specs)} runs; harness sweep --config {config} runs them all.")
    experiment.store(specs[0].out)
    return specs[0]


def _print_config(spec: RunSpec) -> None:
    from dataclasses import replace

    from harness.experiment import experiment_text
    from harness.runner.job import choose
    from harness.sweep import Grid, Points

    axis = choose(spec).method.axis
    settings = dict(spec.settings)
    points = Points({spec.method: [settings.pop(axis)]} if axis in settings else {})
    grid = Grid(replace(spec, settings={}), [spec.method], [spec.task], points, (spec.seed,), settings)
    if axis and not points.items:  # the default of the suite or the method: a file without points means all of them
        points = Points({spec.method: [choose(spec).setting[axis]]})
        grid = replace(grid, points=points)
    echo(experiment_text(grid), nl=False)


def _run(spec: Any, ranks: Any, form: str) -> None:
    from harness.distributed import Terminated
    from harness.progress import Bars
    from harness.runner import execute

    try:
        with Bars(1) as bars:
            if ranks.rank == 0:
                bars.say(f"{spec.method} {spec.task}: loading")
            (outcome,) = execute([spec], progress=bars if ranks.rank == 0 else None, ranks=ranks)
    except Terminated as stop:
        echo(f"harness: {stop} Continue with the same command, or alone with:\n  {spec.command()}", err=True)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        echo(f"harness: interrupted; finished samples are kept. Continue with:\n  {spec.command()}", err=True)
        raise typer.Exit(130) from None
    if ranks.rank != 0:
        return
    if outcome.cause is not None:
        raise outcome.cause
    _show(outcome, form)


def _show(outcome: Any, form: str) -> None:
    from harness.show import print_json, print_result, print_rows, summary_row

    assert outcome.summary is not None
    assert outcome.folder is not None
    if form == "json":
        label = outcome.folder.run().get("label")
        more = {"path": str(outcome.folder.path), "state": outcome.state, "new": outcome.new, "label": label}
        print_json({**outcome.summary, **more})
    elif form == "table":
        print_result(outcome)
    else:
        print_rows([outcome.summary], form, [summary_row(outcome.summary)])
    if outcome.errors:
        echo(
            f"harness: the scorer raised on {outcome.errors} samples (outcome `error`); the accuracy leaves them out. "
            f"Their tracebacks are in {outcome.folder.path / 'samples.jsonl'}; the same command scores them again, "
            "without decoding them.",
            err=True,
        )
        raise typer.Exit(1)


def _refuse_several(method: str, task: str) -> None:
    """Raise UsageError for a list of names: that is a sweep."""
    from harness.errors import UsageError

    for option, text in (("--method", method), ("--task", task)):
        if "," in text:
            raise UsageError(
                f"{option} {text}: a run has one method and one task; for several: "
                f"harness sweep --methods {method} --tasks {task}"
            )


def _refuse_others(ctx: typer.Context) -> None:
    """Raise UsageError for an option that --verify would have to ignore."""
    from harness.errors import UsageError

    for option in ctx.command.params:
        source = ctx.get_parameter_source(str(option.name))
        if option.name not in VERIFY and source is not None and source.name == "COMMANDLINE":
            raise UsageError(f"{option.opts[0]} does not go with --verify: the stored run says it. Leave it out.")


def _verify(name: str, options: RunOptions, json: bool) -> None:
    from harness.documents import chosen
    from harness.runner.verify import verify
    from harness.show import print_json
    from harness.store import find_run

    folder = find_run(name, options.out)
    limit = None if options.limit is None else len(chosen(folder.run()["n_docs"], options.limit, None))
    report = verify(folder, batch_size=options.batch_size, device=options.device, limit=limit)
    if json:
        print_json(report.as_dict())
    else:
        echo("\n".join(report.sentences()))
    if report.differing:
        raise typer.Exit(1)
