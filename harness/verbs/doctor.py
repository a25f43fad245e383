"""`harness doctor`: what works on this machine, what does not, and the command that fixes it."""

from __future__ import annotations

from typing import Any

import typer

from harness.terminal import echo

EXAMPLE = "Example: harness doctor --suite llada --dtype bfloat16 --batch-size 4"


def doctor(
    suite: str = typer.Option(None, "--suite", help="Check what this suite needs, too."),
    checkpoint: str = typer.Option(None, "--checkpoint", help="Check this folder or hub id[@revision]."),
    adapter: str = typer.Option(None, "--adapter", help="A LoRA adapter on top of the checkpoint."),
    device: str = typer.Option("auto", "--device", help="auto, cpu, cuda, cuda:1, …"),
    dtype: str = typer.Option("auto", "--dtype", help="auto, float32, float64, bfloat16, float16, int8 or nf4."),
    batch_size: int = typer.Option(16, "--batch-size", min=1, help="Rows decoded at once."),
    gen_length: int = typer.Option(256, "--gen-length", min=1, help="Generated tokens per row."),
    offline: bool = typer.Option(False, "--offline", help="Do not use the network."),
    as_json: bool = typer.Option(False, "--json", help="One JSON document on stdout."),
) -> None:
    """List what is missing before anything is downloaded, each with the command that fixes it; exit 1 if so."""
    from harness.doctor import Setup, checks
    from harness.show import print_json

    setup = Setup(suite, checkpoint, adapter, device, dtype, batch_size, gen_length, offline)
    found = list(checks(setup))
    missing = [one for one in found if one.state == "missing"]
    if as_json:
        print_json({"ok": not missing, "findings": [one.as_dict() for one in found]})
    else:
        _print(found)
        subject = checkpoint or suite or "this machine"
        echo(f"\n{subject}: {'nothing is missing.' if not missing else f'{len(missing)} missing.'}")
    if missing:
        raise typer.Exit(1)


def _print(found: list[Any]) -> None:
    from rich.console import Console
    from rich.text import Text

    console = Console()
    colours = {"ok": "green", "optional": "yellow", "missing": "bold red"}
    for one in found:
        line = Text(f"{one.state:<9}", style=colours[one.state])
        line.append(f"{one.check}: ", style="bold")
        line.append(one.says, style="default")
        console.print(line, soft_wrap=True)
        if one.fix:
            console.print(Text(f"          → {one.fix}", style="cyan"), soft_wrap=True)
