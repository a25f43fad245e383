"""`harness compare`: two runs or curves on the documents both have, or rows of a suite over all its tasks."""

from __future__ import annotations

from typing import Any

import typer

from harness import options as options_
from harness.options import Format, Json
from harness.terminal import echo

EXAMPLE = (
    "Example: harness compare results/runs/mini/tad_speed/gsm8k results/runs/mini/d3llm/gsm8k   (curves)    "
    "harness compare --suite mini tad_speed d3llm   (rows, over all tasks)"
)


def compare(
    names: list[str] = typer.Argument(
        help="Two runs: each a folder, an id or the beginning of it, or a folder of one curve. With --suite: rows.",
        metavar="RUN_A RUN_B | --suite SUITE ROW ROW...",
    ),
    runs: list[str] = typer.Option(["results/runs"], "--runs", "--out", help="Stores to look for runs in."),
    suite: str = typer.Option(None, help="Compare rows (methods or labels) of this suite by their mean areas."),
    tasks: str = typer.Option("", help="With --suite: only these tasks, comma separated."),
    y_max: str = typer.Option("cohort", help="With --suite: cohort, method:NAME or file:PATH."),
    any_protocol: bool = typer.Option(False, "--any-protocol", help="Compare even though the protocols differ."),
    mixed_curves: bool = typer.Option(
        False, "--mixed-curves", help="Allow one curve over different weights or tokenizers."
    ),
    all_documents: bool = typer.Option(
        False, "--all-documents", help="With --suite: each point keeps its own documents, not those all points share."
    ),
    seed: int = typer.Option(0, "--seed", help="Seed of the bootstrap."),
    draws: int = typer.Option(None, "--draws", min=100, help="Resamplings; 2000, and 10000 with --suite."),
    form: Format = "table",
    as_json: Json = False,
) -> None:
    """Compare two runs or curves on the same documents, or rows over all tasks: paired tests and a verdict."""
    from harness.errors import UsageError

    form = options_.form(form, as_json)
    if suite is not None:
        options: dict[str, Any] = {"tasks": [name.strip() for name in tasks.split(",") if name.strip()], "y_max": y_max}
        options |= {"any_protocol": any_protocol, "mixed_curves": mixed_curves, "all_documents": all_documents}
        _rows(runs, suite, names, {**options, "seed": seed, "draws": draws or 10_000}, form)
        return
    if len(names) != 2:
        named = "1 run was" if len(names) == 1 else f"{len(names)} runs were"
        raise UsageError(f"{named} named; give two, or --suite SUITE and two rows or more.")
    _pair(names, runs, any_protocol, mixed_curves, seed, draws or 2000, form)


def _pair(
    names: list[str], runs: list[str], any_protocol: bool, mixed_curves: bool, seed: int, draws: int, form: str
) -> None:
    from harness.compare import compare as pair
    from harness.compare import side
    from harness.errors import UserError
    from harness.show import print_json, print_rows

    try:
        a, b = (side(name, runs, mixed_curves=mixed_curves) for name in names)
        result = pair(a, b, any_protocol=any_protocol, seed=seed, draws=draws)
    except UserError as error:
        if form == "json":
            print_json({"error": str(error)})
        raise
    if form == "json":
        print_json(result.as_dict())
        return
    if form != "table":
        print_rows(result.rows(), form)
        return
    echo(f"A = {result.a}\nB = {result.b}\n{result.n_shared} documents in common\n")
    for note in result.notes:
        echo(f"Note: {note}")
    for sentence in result.verdict:
        echo(sentence)


def _rows(runs: list[str], suite: str, rows: list[str], options: dict[str, Any], form: str) -> None:
    from harness.show import print_json, print_rows, print_table
    from reports.errors import ReportError
    from reports.row_comparison import compare_suite

    try:
        found = compare_suite(runs, suite, rows, **options)
    except ReportError as error:
        if form == "json":
            print_json({"error": str(error)})
        raise
    if form == "json":
        print_json(found.as_dict())
        return
    for note in found.notes:
        echo(f"Note: {note}", err=True)
    if form != "table":
        print_rows(found.as_dict()["differences"], form, found.table())
        return
    print_table(found.table())
    for sentence in found.verdict:
        echo(sentence)
    print_table(found.rank_table())
