"""`harness ls methods|tasks|suites|runs`: what there is."""

from __future__ import annotations

import typer

app = typer.Typer(help="List methods, tasks, suites or runs.", no_args_is_help=True)
EXAMPLE = "harness ls methods"


@app.command("methods")
def methods(json: bool = typer.Option(False, "--json", help="One JSON document on stdout.")) -> None:
    """Every decoding method: its swept setting and its checkpoint."""
    from harness.show import print_table
    from methods.registry import all_methods

    rows = [
        {"method": m.name, "title": m.title, "axis": m.axis or "-", "checkpoint": m.checkpoint, "summary": m.summary}
        for m in all_methods().values()
    ]
    print_table(rows, json)
