"""`harness pretrain`: the mini models from scratch."""

from __future__ import annotations

from pathlib import Path

import typer

from harness.terminal import echo

EXAMPLE = "harness pretrain --suite mini --kind diffusion --init runs/pretrain/ar/checkpoint --out runs/pretrain/base"


def pretrain(
    suite: str = typer.Option("mini", help="Only the mini suite is trained from scratch."),
    kind: str = typer.Option("diffusion", help="diffusion (the masked diffusion base) or ar (the baseline)."),
    out: Path = typer.Option(
        Path("runs/pretrain/base"), help="Folder for state and checkpoint; run again to continue."
    ),
    steps: int | None = typer.Option(None, min=1, help="Optimizer steps (default: the recipe's)."),
    init: Path | None = typer.Option(None, help="Start from this mini checkpoint's weights, such as the AR model's."),
    seed: int = typer.Option(0, help="Seed of weights and data."),
    threads: int = typer.Option(0, min=0, help="CPU threads; 0 = all cores."),
    json: bool = typer.Option(False, "--json", help="The manifest as JSON on stdout."),
) -> None:
    """Generate data, train the tokenizer and pretrain one mini model; if interrupted, the same command continues."""
    from harness.errors import UsageError, unknown
    from harness.pretraining import KINDS, pretrain_mini
    from harness.show import print_json

    if suite != "mini":
        raise UsageError(f"--suite {suite}: only the mini suite is pretrained here; other suites load hub weights.")
    if kind not in KINDS:
        raise unknown("kind of pretraining", kind, KINDS)
    if init is not None and not (init / "config.json").is_file():
        raise UsageError(f"--init {init} is no checkpoint folder (no config.json in it).")
    manifest = pretrain_mini(kind, out, steps=steps, seed=seed, init=init, threads=threads)
    if json:
        print_json(manifest)
    else:
        echo(f"{out / 'checkpoint'}: {manifest['steps']} steps, loss {manifest['loss']}, {manifest['minutes']} min")
