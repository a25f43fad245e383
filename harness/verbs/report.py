"""`harness report`: tables, figures and a page out of runs and published points."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import typer

from harness.options import REPORT
from harness.terminal import echo

EXAMPLE = "Example:  harness report --runs results/runs --published --suite llada"
SHOWN = 12  # warnings on the terminal


def report(
    runs: list[Path] = typer.Option(
        [], help="A folder of runs; may be given more than once. Without --published: results/runs."
    ),
    published: bool = typer.Option(False, "--published", help="Add the points published by the d3LLM and TAD papers."),
    papers: str = typer.Option("d3llm,tad", help="Whose published points: d3llm, tad or both."),
    suite: str = typer.Option(None, help="Only this suite."),
    out: Path = typer.Option(Path(REPORT), help="Folder for the files; existing ones are replaced."),
    y_max: str = typer.Option(
        "cohort", help="cohort, published:PAPER, method:NAME or file:PATH (YAML: suite -> task -> percent)."
    ),
    alpha: float = typer.Option(3.0, min=0, help="AUP's penalty."),
    drop: float = typer.Option(5.0, min=0, help="Points this much below the first are dropped from AUP."),
    mixed_protocols: bool = typer.Option(
        False, "--mixed-protocols", help="Show runs of different protocols together, with a warning."
    ),
    mixed_curves: bool = typer.Option(
        False, "--mixed-curves", help="Allow one curve over different weights or tokenizers, with a warning."
    ),
    all_documents: bool = typer.Option(
        False, "--all-documents", help="Each point keeps its own documents; else a curve is over those all points have."
    ),
    extra_points: bool = typer.Option(
        False, "--extra-points", help="Count published points that were left out of the papers' tables."
    ),
    draws: int = typer.Option(1000, min=0, help="Draws of the bootstraps (AUP: at least 10,000); 0: no AUP intervals."),
    note: str = typer.Option("", help="A sentence shown above every table.", metavar="TEXT"),
    figures: bool = typer.Option(True, help="Draw the figures."),
    page: bool = typer.Option(True, help="Write index.html."),
    as_json: bool = typer.Option(False, "--json", help="List the written files as JSON on stdout."),
) -> None:
    """Write leaderboard, AUP and points (CSV, Markdown, LaTeX), figures (PNG, SVG, PDF) and index.html."""
    from harness.errors import UsageError
    from harness.show import print_json, print_table
    from reports.collect import collect
    from reports.errors import ReportError
    from reports.write import write_report

    if out.exists() and not out.is_dir():
        raise UsageError(f"--out {out} is a file; it takes a folder, such as {REPORT}.")
    start = time.perf_counter()
    folders = list(runs) or ([] if published else [Path("results/runs")])
    chosen = [name.strip() for name in papers.split(",") if name.strip()] if published else []
    try:
        made = collect(
            folders,
            chosen,
            suite=suite,
            y_max=y_max,
            alpha=alpha,
            drop=drop,
            mixed_protocols=mixed_protocols,
            mixed_curves=mixed_curves,
            all_documents=all_documents,
            extra_points=extra_points,
            draws=draws,
            note=note,
        )
    except ReportError as error:
        if as_json:
            print_json({"error": str(error)})
        raise
    paths = write_report(made, out, figures=figures, page=page)
    for line in made.header:
        echo(line, err=True)
    left_out = [
        finding.text for finding in made.findings if finding.level == "error" or finding.check == "unfinished-run"
    ]
    warnings = [f.text for f in made.findings if f.level == "warning" and f.source == "run" and f.text not in left_out]
    for line in [*left_out, *_shortened([text for text in warnings if text not in made.header])]:
        echo(line, err=True)
    seconds = round(time.perf_counter() - start, 1)
    if as_json:
        files = [str(path) for path in paths]
        heads = {"header": list(made.header), "left_out": left_out, "warnings": warnings}
        print_json({"out": str(out), "files": files, **heads, "seconds": seconds})
        return
    print_table(_rows(made))
    ending = f"open {out / 'index.html'}" if page else f"see {out / 'report.md'}"
    echo(f"{len(paths)} files in {seconds} s; {ending}", err=True)


def _shortened(warnings: list[str]) -> list[str]:
    """The first warnings; `harness audit` and findings.json have all of them."""
    if len(warnings) <= SHOWN:
        return [f"Warning: {text}" for text in warnings]
    rest = f"{len(warnings) - SHOWN} more warnings are in findings.json."
    return [*(f"Warning: {text}" for text in warnings[:SHOWN]), rest]


def _rows(made: Any) -> list[dict[str, Any]]:
    """The leaderboard for the terminal; intervals only where something was measured."""
    from reports.formats import number

    measured = any(row.avg_aup_clipped_lo is not None for row in made.leaderboard)
    rows = []
    for row in made.leaderboard:
        low, high = number(row.avg_aup_clipped_lo, 1), number(row.avg_aup_clipped_hi, 1)
        spread = {"95 %": f"{low}–{high}", "ranks, 95 %": f"{row.rank_lo}–{row.rank_hi}" if row.rank_lo else ""}
        rows.append(
            {
                "suite": row.suite,
                "cohort": row.cohort,
                "rank": row.rank,
                "method": row.method,
                "tasks": row.n_tasks,
                "accuracy": number(row.avg_accuracy),
                "TPF": number(row.avg_tpf),
                "clipped AUP": number(row.avg_aup_clipped),
                **(spread if measured else {}),
                "AUP": number(row.avg_aup),
            }
        )
    return rows
