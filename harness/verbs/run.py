"""`harness run`: one method on one task, one run folder; under torchrun or accelerate by several processes."""

from __future__ import annotations

import sys
from typing import Any

import typer

from harness import options

EXAMPLE = "Example: harness run --method tad_speed --task gsm8k --limit 50 --set threshold=0.4"


VERIFY = ("verify", "limit", "batch_size", "device", "out", "json")  # a stored run says all the rest itself


def run(
    ctx: typer.Context,
    method: str | None = typer.Option(None, "--method", "-m", help="A method of `harness ls methods`."),
    task: str | None = typer.Option(None, "--task", "-t", help="A task of `harness ls tasks`."),
    suite: str = typer.Option("mini", help="A suite of `harness ls suites`."),
    set_: list[str] = typer.Option([], "--set", metavar="KEY=VALUE", help="A setting; may be given several times."),
    limit: options.Limit = None,
    batch_size: options.BatchSize = 16,
    seed: int = typer.Option(0, help="Seed of a method that samples."),
    data_dir: options.DataDir = None,
    checkpoint: options.Checkpoint = None,
    adapter: options.Adapter = None,
    device: options.Device = "auto",
    dtype: options.Dtype = "auto",
    compile_: options.Compile = False,
    protocol: options.Protocol = None,
    fidelity: options.Fidelity = "fixed",
    out: options.Out = "results/runs",
    fresh: bool = typer.Option(False, "--fresh", help="Set a stored run aside and start anew."),
    verify: str | None = typer.Option(None, metavar="RUN", help="Repeat a stored run and report the first difference."),
    allow_unconfined_code: options.Unconfined = False,
    json: options.Json = False,
) -> None:
    """Decode a task with a method, score it and store it; the same command again continues, or shows the result."""
    from harness.distributed import alone, join, only_first_rank_prints
    from harness.errors import UsageError
    from harness.runner import RunSpec
    from harness.runner.settings import parse

    def spec() -> RunSpec:
        if method is None or task is None:
            raise UsageError(
                "harness run needs --method and --task (or --verify RUN); `harness ls methods` lists them."
            )
        return RunSpec(
            method=method,
            task=task,
            suite=suite,
            settings=parse(set_),
            limit=limit,
            batch_size=batch_size,
            seed=seed,
            data_dir=data_dir,
            checkpoint=checkpoint,
            adapter=adapter,
            device=device,
            dtype=dtype,
            compile=compile_,
            protocol=protocol,
            fidelity=fidelity,
            out=out,
            fresh=fresh,
            unconfined=allow_unconfined_code,
        )

    if verify is not None:
        _refuse_others(ctx)
        alone()
        _verify(verify, out, batch_size, device, limit, json)
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
        print_json({**outcome.summary, "path": str(outcome.folder.path), "state": outcome.state, "new": outcome.new})
    else:
        print_result(outcome)
    if outcome.errors:
        print(
            f"harness: the scorer raised on {outcome.errors} samples (outcome `error`, counted as wrong); their "
            f"tracebacks are in {outcome.folder.path / 'samples.jsonl'}.",
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


def _verify(name: str, out: str, batch_size: int, device: str, limit: int | None, json: bool) -> None:
    from harness.runner.verify import verify
    from harness.show import print_json
    from harness.store import find_run

    report = verify(find_run(name, out), batch_size=batch_size, device=device, limit=limit)
    if json:
        print_json(report.as_dict())
    else:
        print("\n".join(report.sentences()))
    if report.differing:
        raise typer.Exit(1)
