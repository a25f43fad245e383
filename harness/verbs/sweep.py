"""`harness sweep`: a grid of runs, planned, estimated, run, continued."""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING, Any

import typer

from harness.options import Config, Json, PrintConfig, RunOptions, Set, refuse_beside_config, with_run_options
from harness.terminal import echo

if TYPE_CHECKING:
    from harness.runner.spec import RunSpec
    from harness.sweep.run import Executor

EXAMPLE = "Example: harness sweep --suite mini --methods tad_speed,d3llm --tasks gsm8k --limit 100 --dry-run"

# what may stand beside --config: how the plan is run, not what it is
BESIDE_CONFIG = (
    *("dry_run", "calibrate", "refine", "refine_budget", "shard", "executor", "as_json"),
    *("ray_address", "ray_gpus", "ray_cpus", "ray_store"),
)
GIVES_WAY = ("path", "folder", "limit", "seed", "state", "NFE run", "NFE")  # the columns a narrow terminal does without


@with_run_options
def sweep(
    ctx: typer.Context,
    config: Config = None,
    print_config: PrintConfig = False,
    methods: str = typer.Option("", metavar="a,b", help="Only these methods; all that the suite has weights for."),
    tasks: str = typer.Option("", metavar="x,y", help="Only these tasks; all of the suite."),
    points: str = typer.Option(
        "", metavar="V,V|M=V,V;M=V|FILE", help="Values of the swept parameter instead of each method's, or a YAML file."
    ),
    settings: Set = [],  # noqa: B006  (typer's way to say: may be repeated)
    seeds: str = typer.Option("0", metavar="0,1", help="Every point once per seed."),
    dry_run: bool = typer.Option(False, "--dry-run", help="Print the plan and its estimate, and stop."),
    calibrate: int = typer.Option(
        2, min=0, metavar="N", help="Documents decoded at each end of a curve for the estimate; 0: none."
    ),
    refine: float | None = typer.Option(
        None, min=0, metavar="TPF", help="Add points until neighbours on a curve differ by less than this TPF."
    ),
    refine_budget: int = typer.Option(8, min=1, metavar="N", help="Points that --refine may add to a curve."),
    shard: str | None = typer.Option(None, metavar="i/n", help="Only part i of n of the plan, one per machine."),
    executor: str = typer.Option("local", metavar="local|ray", help="Where to run."),
    ray_address: str | None = typer.Option(None, help="Ray cluster to join; none: the running one, else a local one."),
    ray_gpus: float | None = typer.Option(None, min=0, help="GPUs per worker; default 1 where the cluster has any."),
    ray_cpus: float = typer.Option(1, min=0, help="CPUs per worker."),
    ray_store: str = typer.Option("driver", metavar="driver|shared", help="Who writes --out: this process or workers."),
    wait: bool = typer.Option(
        True, "--wait/--no-wait", help="Wait for runs that another process is writing, or fail them at once."
    ),
    as_json: Json = False,
    *,
    options: RunOptions,
) -> None:
    """Run every method on every task at every point; the same command again continues, finished runs are skipped."""
    from harness.experiment import experiment_text, read
    from harness.settings import parse
    from harness.sweep import Grid, parse_points, parse_shard
    from harness.sweep.refine import Refinement
    from harness.sweep.run import make_plan, part_of

    _known("executor", executor, ("local", "ray"))
    _known("Ray store", ray_store, ("driver", "shared"))
    part = parse_shard(shard)
    experiment = None
    if config is None:
        base = options.spec(method="", task="")
        grid = Grid(base, _names(methods), _names(tasks), parse_points(points), _seeds(seeds), parse(settings))
        specs = make_plan(grid, part, by_curve=refine is not None)
        if print_config:
            echo(experiment_text(grid, executor), nl=False)
            return
    else:
        changes = refuse_beside_config(ctx, BESIDE_CONFIG)
        experiment = read(config)
        specs = part_of(experiment.plan(**changes), part, refine is not None)
        executor = executor if executor != "local" else experiment.executor
    refinement = Refinement(refine, refine_budget) if refine else None
    estimated = calibrate if dry_run or executor == "local" else 0
    planned = _show_plan(specs, estimated, as_json)
    if dry_run:
        if as_json:
            _print_json({"plan": planned})
        return
    run = _executor(executor, ray_address, ray_gpus, ray_cpus, ray_store)
    if experiment is not None:
        echo(f"experiment kept as {experiment.store(specs[0].out)}", err=True)
    _run(specs, run, refinement, specs[0].out, specs[0].suite, as_json, wait)
    if experiment is not None and experiment.report is not None:
        _report(specs[0], experiment.report)


def _report(spec: RunSpec, out: str) -> None:
    from harness.api import report
    from harness.suites import load_suite

    files = report(spec.out, suite=load_suite(spec.suite).name, out=out).files
    echo(f"{len(files)} files; open {out}/index.html", err=True)


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _seeds(text: str) -> list[int]:
    from harness.errors import UsageError

    try:
        return [int(name) for name in _names(text)]
    except ValueError:
        raise UsageError(f"--seeds {text} is not a list of integers such as 0,1,2.") from None


def _show_plan(specs: list[RunSpec], documents: int, as_json: bool) -> list[dict[str, Any]]:
    """The plan's rows, with their costs where a calibration was asked for; printed as a table for people."""
    from rich.console import Console

    from harness.show import print_table
    from harness.sweep.estimate import estimate, total, without_estimate
    from harness.sweep.grid import by_method

    console = Console(stderr=True)
    if not documents:
        rows, last = without_estimate(specs), f"{len(specs)} runs."
    else:
        with console.status("calibrating") as status:
            costs = estimate(by_method(specs), documents, status.update)
        rows, last = [cost.row() for cost in costs], total(costs)
    if not as_json:
        short = {"documents": "docs", "remaining": "left", "forwards": "NFE"}
        print_table([{short.get(name, name): value for name, value in row.items()} for row in rows], give_way=GIVES_WAY)
        echo(last)
    return rows


def _known(kind: str, name: str, names: tuple[str, ...]) -> None:
    from harness.errors import unknown

    if name not in names:
        raise unknown(kind, name, names)


def _executor(name: str, address: str | None, gpus: float | None, cpus: float, store: str) -> Executor:
    if name == "local":
        from harness.sweep.local import Local

        return Local()
    from harness.sweep.cluster import Cluster

    return Cluster(address=address, gpus=gpus, cpus=cpus, shared=store == "shared")


def _run(
    specs: list[RunSpec], executor: Executor, refinement: Any, out: str, suite: str, as_json: bool, wait: bool
) -> None:
    """Run the plan and print what became of it. Exits with 1 if a run failed or a scorer raised."""
    from harness.show import print_table
    from harness.sweep.progress import Board
    from harness.sweep.report import COUNTS, failures_text, ran_text, rows, seed_rows
    from harness.sweep.run import run_sweep

    try:
        with Board(len(specs)) as board:
            outcomes = run_sweep(specs, executor, board, refinement, wait=wait)
    except KeyboardInterrupt:
        again = shlex.join(["harness", *sys.argv[1:]])
        echo(f"harness: interrupted; finished samples are kept. Continue with:\n  {again}", err=True)
        raise typer.Exit(130) from None
    table, seeds = rows(outcomes), seed_rows(outcomes)
    if as_json:
        _print_json({"runs": table, "seeds": seeds})
    else:
        hidden = set(COUNTS) - {"forwards", "forwards_run"}
        short = {"accuracy": "acc %", "forwards": "NFE", "forwards_run": "NFE run"}
        shown = [{short.get(name, name): value for name, value in row.items() if name not in hidden} for row in table]
        print_table(shown, give_way=GIVES_WAY)
        echo(ran_text(outcomes))
        if seeds:
            echo("\nSeeds combined (documents are resampled; sd is the spread between seeds):")
            print_table(seeds)
    if text := failures_text(outcomes):
        echo(text, err=True)
    echo(f"Plot it: harness report --runs {out} --suite {suite}", err=True)
    if any(outcome.state == "failed" or outcome.errors for outcome in outcomes):
        raise typer.Exit(1)


def _print_json(value: Any) -> None:
    from harness.show import print_json

    print_json(value)
