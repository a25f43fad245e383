"""`harness table`: a paper's table regenerated, from its published points or from your own runs."""

from __future__ import annotations

from pathlib import Path

import typer

from harness.terminal import echo

EXAMPLE = "Example:  harness table --paper tad --suite llada --source published --format md"


def table(
    paper: str = typer.Option(..., help="Whose table: d3llm or tad."),
    suite: str = typer.Option(..., help="llada, dream or (d3llm only) dream_coder."),
    source: str = typer.Option("published", help="published: the paper's points. runs: yours, under --runs."),
    format_: str = typer.Option(
        "md", "--format", help="md, csv, latex or json; csv and json are long: one row per method and task."
    ),
    runs: list[Path] = typer.Option([Path("results/runs")], help="Folders of runs, for --source runs."),
    y_max: str = typer.Option("cohort", help="cohort, published:PAPER, method:NAME or file:PATH."),
    mixed_protocols: bool = typer.Option(False, help="Allow runs of different protocols in one table."),
    json_: bool = typer.Option(False, "--json", help="The same as --format json."),
) -> None:
    """Regenerate a paper's table; AUP is computed from the raw points, never copied."""
    from reports import tables
    from reports.errors import unknown

    form = "json" if json_ else format_
    if form not in tables.FORMATS:
        raise unknown("format", form, tables.FORMATS)
    if source not in tables.SOURCES:
        raise unknown("source", source, tables.SOURCES)
    if source == "published":
        made = tables.published_table(paper, suite, y_max)
    else:
        made = tables.runs_table(paper, suite, runs, y_max, mixed_protocols)
    echo(tables.render(made, form), nl=False)
    if form in ("csv", "json"):
        echo(tables.note(made), err=True)
