"""`harness audit`: what a reader of the published tables, or of your own runs, should know."""

from __future__ import annotations

from pathlib import Path

import typer

from harness.terminal import echo

EXAMPLE = "Example:  harness audit --json   (published tables)    harness audit --runs results/runs   (your runs)"


def audit(
    published: str = typer.Option("d3llm,tad", help="Papers whose tables are checked, comma separated; '' for none."),
    suite: str = typer.Option(None, help="Only this suite."),
    runs: list[Path] = typer.Option([], help="Folders of runs to check as well."),
    as_json: bool = typer.Option(False, "--json", help="One JSON document on stdout."),
) -> None:
    """Check points: impossible accuracies, different prompts, nominal TPF, AUP per cohort, wrong averages."""
    from harness.show import print_json
    from reports.audit_page import audit_document, audit_markdown

    papers = [name.strip() for name in published.split(",") if name.strip()]
    document = audit_document(papers, suite, runs)
    if as_json:
        print_json(document)
    else:
        echo(audit_markdown(document), nl=False)
