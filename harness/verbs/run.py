"""`harness run`: one method on one task, one run folder; under torchrun or accelerate by several processes."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import typer

from harness.options import Json, RunOptions, Set, with_run_options

if TYPE_CHECKING:
    from harness.runner.spec import RunSpec

EXAMPLE = "Example: harness run --method tad_speed --task gsm8k --limit 50 --set threshold=0.4"


VERIFY = ("verify", "limit", "batch_size", "device", "out", "json")  # a stored run says all the rest itself


@with_run_options
def run(
    ctx: typer.Context,
    method: str | None = typer.Option(None, "--method", "-m", help="A method of `harness ls methods`."),
    task: str | None = typer.Option(None, "--task", "-t", help="A task of `harness ls tasks`."),
    settings: Set = [],  # noqa: B006  (typer's way to say: may be repeated)
    seed: int = typer.Option(0, help="Seed of a method that samples."),
    fresh: bool = typer.Option(False, "--fresh", help="Set a stored run aside and start over."),
    verify: str | None = typer.Option(None, metavar="RUN", help="Repeat a stored run and report the first difference."),
    json: Json = False,
    *,
    options: RunOptions,
) -> None:
    """Decode a task with a method, score it and store it; the same command again continues, or shows the result."""
    from harness.distributed import alone, join, only_first_rank_prints
    from harness.errors import UsageError
    from harness.settings import parse

    def spec() -> RunSpec:
        if method is None or task is None:
            raise UsageError(
                "harness run needs --method and --task (or --verify RUN); `harness ls methods` lists them."
            )
        return options.spec(method=method, task=task, settings=parse(settings), seed=seed, fresh=fresh)

    if verify is not None:
        _refuse_others(ctx)
        alone()
        _verify(verify, options, json)
        return
    with only_first_rank_prints():
        ranks = join()
        _run(ranks.attempt(spec), ranks, json)


def _run(spec: Any, ranks: Any, json: bool) -> None:
    from harness.distributed import Terminated
    from harness.progress import Bars
    from harness.runner import execute

    try:
        with Bars(1) as bars:
            (outcome,) = execute([spec], progress=bars if ranks.rank == 0 else None, ranks=ranks)
    except Terminated as stop:
        print(f"harness: {stop} Continue with the same command, or alone with:\n  {spec.command()}", file=sys.stderr)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        print(f"harness: interrupted; finished samples are kept. Continue with:\n  {spec.command()}", file=sys.stderr)
        raise typer.Exit(130) from None
    if ranks.rank != 0:
        return
    if outcome.cause is not None:
        raise outcome.cause
    _show(outcome, json)


def _show(outcome: Any, json: bool) -> None:
    from harness.show import print_json, print_result

    assert outcome.summary is not None
    assert outcome.folder is not None
    if json:
        label = outcome.folder.run().get("label")
        more = {"path": str(outcome.folder.path), "state": outcome.state, "new": outcome.new, "label": label}
        print_json({**outcome.summary, **more})
    else:
        print_result(outcome)
    if outcome.errors:
        print(
            f"harness: the scorer raised on {outcome.errors} samples (outcome `error`); the accuracy leaves them out. "
            f"Their tracebacks are in {outcome.folder.path / 'samples.jsonl'}; the same command scores them again, "
            "without decoding them.",
            file=sys.stderr,
        )
        raise typer.Exit(1)


def _refuse_others(ctx: typer.Context) -> None:
    """Raise UsageError for an option that --verify would have to ignore."""
    from harness.errors import UsageError

    for option in ctx.command.params:
        source = ctx.get_parameter_source(str(option.name))
        if option.name not in VERIFY and source is not None and source.name == "COMMANDLINE":
            raise UsageError(f"{option.opts[0]} does not go with --verify: the stored run says it. Leave it out.")


def _verify(name: str, options: RunOptions, json: bool) -> None:
    from harness.runner.verify import verify
    from harness.show import print_json
    from harness.store import find_run

    folder = find_run(name, options.out)
    report = verify(folder, batch_size=options.batch_size, device=options.device, limit=options.limit)
    if json:
        print_json(report.as_dict())
    else:
        print("\n".join(report.sentences()))
    if report.differing:
        raise typer.Exit(1)
