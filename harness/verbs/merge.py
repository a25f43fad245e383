"""`harness merge SOURCE... --out DIR`: unite the stores of several machines or shards."""

from __future__ import annotations

import typer

from harness.terminal import echo

EXAMPLE = "Example: harness merge node1/runs node2/runs --out results/runs"


def merge(
    sources: list[str] = typer.Argument(help="Stores or run folders to add; nothing is written there."),
    out: str = typer.Option("results/runs", help="The store to add them to."),
    as_json: bool = typer.Option(False, "--json", help="One JSON document on stdout."),
) -> None:
    """Add the runs of other stores to a store; samples that both have must agree. Running it again adds nothing."""
    from harness.show import print_json
    from harness.store import merge as unite

    merged = unite(sources, out)
    if as_json:
        print_json({"runs": merged.runs, "samples": merged.samples, "out": out})
        return
    echo(f"{merged.runs} new runs and {merged.samples} samples were added to {out}.")
    echo(f"Show them: harness ls runs --runs {out}", err=True)
