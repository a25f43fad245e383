"""`harness init`: a commented experiment file."""

from __future__ import annotations

from pathlib import Path

import typer

from harness.terminal import echo

EXAMPLE = "Example: harness init experiment.yaml"


def init(
    file: Path = typer.Argument(Path("experiment.yaml"), metavar="FILE", help="The file to write."),
) -> None:
    """Write a commented experiment file; `harness sweep --config FILE` runs it."""
    from harness.errors import UsageError, UserError
    from harness.experiment import TEMPLATE

    if file.exists():
        raise UsageError(f"{file} exists and is left as it is; name another file.")
    try:
        file.write_text(TEMPLATE, encoding="utf-8")
    except OSError as error:
        raise UserError(f"{file} cannot be written: {error.strerror or error}.") from None
    echo(f"wrote {file}; its plan: harness sweep --config {file} --dry-run")
