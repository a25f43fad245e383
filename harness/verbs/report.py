"""`harness report`: tables, figures and a page out of runs and published points."""

from __future__ import annotations

import time
from pathlib import Path

import typer

EXAMPLE = "Example:  harness report --runs results/runs --published --suite llada --out results/report"


def report(
    runs: list[Path] = typer.Option(
        [], help="A folder of runs; may be given more than once. Without --published: results/runs."
    ),
    published: bool = typer.Option(False, "--published", help="Add the points published by the d3LLM and TAD papers."),
    papers: str = typer.Option("d3llm,tad", help="Whose published points: d3llm, tad or both."),
    suite: str = typer.Option(None, help="Only this suite."),
    out: Path = typer.Option(..., help="Folder for the files; existing ones are replaced."),
    y_max: str = typer.Option(
        "cohort", help="cohort, published:PAPER, method:NAME or file:PATH (YAML: suite -> task -> percent)."
    ),
    alpha: float = typer.Option(3.0, min=0, help="AUP's penalty."),
    drop: float = typer.Option(5.0, min=0, help="Points this much below the first are dropped from AUP."),
    mixed_protocols: bool = typer.Option(
        False, "--mixed-protocols", help="Show runs of different protocols together, with a warning."
    ),
    extra_points: bool = typer.Option(
        False, "--extra-points", help="Count published points that were left out of the papers' tables."
    ),
    draws: int = typer.Option(1000, min=0, help="Draws of the joint bootstrap behind AUP intervals; 0: none."),
    note: str = typer.Option("", help="A sentence shown above every table.", metavar="TEXT"),
    figures: bool = typer.Option(True, help="Draw the figures."),
    page: bool = typer.Option(True, help="Write index.html."),
    as_json: bool = typer.Option(False, "--json", help="List the written files as JSON on stdout."),
) -> None:
    """Write leaderboard, AUP and points (CSV, Markdown, LaTeX), figures (PNG, SVG, PDF) and index.html."""
    from harness.show import print_json, print_table
    from reports.collect import collect
    from reports.formats import number
    from reports.write import write_report

    start = time.perf_counter()
    folders = list(runs) or ([] if published else [Path("results/runs")])
    chosen = [name.strip() for name in papers.split(",") if name.strip()] if published else []
    made = collect(
        folders,
        chosen,
        suite=suite,
        y_max=y_max,
        alpha=alpha,
        drop=drop,
        mixed_protocols=mixed_protocols,
        extra_points=extra_points,
        draws=draws,
        note=note,
    )
    paths = write_report(made, out, figures=figures, page=page)
    for line in made.header:
        typer.echo(line, err=True)
    left_out = [
        finding.text for finding in made.findings if finding.level == "error" or finding.check == "unfinished-run"
    ]
    for line in left_out:
        typer.echo(line, err=True)
    seconds = round(time.perf_counter() - start, 1)
    if as_json:
        print_json({"out": str(out), "files": [str(path) for path in paths], "left_out": left_out, "seconds": seconds})
        return
    measured = any(row.avg_aup_lo is not None for row in made.leaderboard)
    rows = [
        {
            "suite": row.suite,
            "cohort": row.cohort,
            "rank": row.rank,
            "method": row.method,
            "tasks": row.n_tasks,
            "accuracy": number(row.avg_accuracy),
            "TPF": number(row.avg_tpf),
            "AUP": number(row.avg_aup),
            **({"95 %": f"{number(row.avg_aup_lo, 1)}–{number(row.avg_aup_hi, 1)}"} if measured else {}),
        }
        for row in made.leaderboard
    ]
    print_table(rows)
    ending = f"open {out / 'index.html'}" if page else f"see {out / 'report.md'}"
    typer.echo(f"{len(paths)} files in {seconds} s; {ending}", err=True)
