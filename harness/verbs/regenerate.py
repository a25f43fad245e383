"""`harness regenerate`: from a seed to the leaderboard."""

from __future__ import annotations

from pathlib import Path

import typer

from harness.terminal import echo

EXAMPLE = "harness regenerate --suite mini --profile quick --out runs/regenerate/quick"


def regenerate(
    suite: str = typer.Option("mini", help="Only the mini suite can be regenerated from scratch."),
    profile: str = typer.Option("quick", help="quick, or full (which made the committed leaderboard)."),
    seed: int = typer.Option(0, help="Seed of weights, data and noise."),
    methods: str = typer.Option("", help="Only these rows, comma separated."),
    until: str | None = typer.Option(None, help="Stop after this stage."),
    jobs: int = typer.Option(1, min=1, help="Stages run at once; the cores are divided among them."),
    threads: int = typer.Option(0, min=0, help="CPU threads; 0 = all cores."),
    out: Path | None = typer.Option(None, help="Folder for everything; run again to continue."),
    dry_run: bool = typer.Option(False, "--dry-run", help="List the stages and whether they would run."),
    keys: bool = typer.Option(False, "--keys", help="Print `stage key` lines: what decides each result, hashed."),
    json: bool = typer.Option(False, "--json", help="Stages and minutes (or the keys) as JSON on stdout."),
) -> None:
    """Data, tokenizer, pretraining, trajectories, distillations, sweep, report; unchanged stages are skipped."""
    from harness.errors import UsageError, unknown
    from harness.regenerate.plan import stages
    from harness.regenerate.profiles import profile_of
    from harness.regenerate.records import Records
    from harness.show import print_json, print_table

    if suite != "mini":
        raise UsageError(f"--suite {suite}: only mini is made from scratch; train other suites with `harness train`.")
    sizes = profile_of(profile)
    folder = out or Path("runs/regenerate") / profile
    rows = tuple(name for name in methods.split(",") if name)
    records = Records(folder, stages(folder, sizes, seed=seed, threads=threads, methods=rows))
    names = [stage.name for stage in records.stages]
    if until is not None and until not in names:
        raise unknown("stage", until, names)
    if keys:
        _print_keys(records.keys, json)
        return
    if not dry_run:
        from harness.regenerate.execute import run

        run(records, lambda line: echo(line, err=True), until, jobs)
    table = [
        {
            "stage": stage.name,
            "state": "done" if records.fresh(stage) else "to do",
            "minutes": round(records.records.get(stage.name, {}).get("minutes", 0.0), 1) or None,
            "command": stage.typed(),
        }
        for stage in records.stages
    ]
    if json:
        print_json(table)
        return
    print_table(table)
    if not dry_run and until is None:
        echo(f"cost per stage: {folder / 'cost.md'}; leaderboard: {folder / 'report' / 'index.html'}")


def _print_keys(keys: dict[str, str], as_json: bool) -> None:
    from harness.show import print_json

    if as_json:
        print_json(keys)
        return
    for stage, key in keys.items():
        echo(f"{stage} {key}")
