"""`harness bench decode`: ratios of the decoding engine on this machine."""

from __future__ import annotations

from typing import Any

import typer

from harness.terminal import echo

app = typer.Typer(help="Speed on this machine, as ratios measured in one run.", no_args_is_help=True)
EXAMPLE = "harness bench decode --checkpoint tests/data/golden/checkpoints/llada_rand --repeats 3"


@app.callback()
def _bench() -> None:
    """Speed on this machine, as ratios measured in one run."""


@app.command("decode", epilog=EXAMPLE)
def bench_decode(
    checkpoint: str = typer.Option(..., help="A masked diffusion checkpoint: folder or hub id."),
    gen_length: int = typer.Option(64, min=32, help="Tokens to generate, a multiple of 32."),
    repeats: int = typer.Option(3, min=1, help="Repetitions; the median counts."),
    batches: str = typer.Option("1,4,16,64", help="Batch sizes for samples per second."),
    only: str = typer.Option("", help="Some of overhead,head,throughput,caches,sweep; empty for all."),
    device: str = typer.Option("auto", help="auto, cpu or cuda."),
    dtype: str = typer.Option("auto", help="auto, float32, float64, bfloat16, float16, int8 or nf4."),
    json: bool = typer.Option(False, "--json", help="One JSON document on stdout."),
) -> None:
    """Overhead, head and entropy, throughput by batch, caches, mixed sweep."""
    from harness.bench import PARTS, machine, measure
    from harness.errors import UsageError, unknown
    from harness.show import print_json, print_table
    from methods.backbones import load

    try:
        sizes = tuple(int(size) for size in batches.split(","))
    except ValueError:
        raise UsageError(f"--batches {batches} is not a list of numbers like 1,4,16.") from None
    if gen_length % 32 or min(sizes) < 1:
        raise UsageError("--gen-length must be a multiple of 32 and --batches at least 1.")
    parts = tuple(only.split(",")) if only else PARTS
    for part in parts:
        if part not in PARTS:
            raise unknown("measurement", part, PARTS)
    backbone = load(checkpoint, device=device, dtype=dtype)
    rows: list[dict[str, Any]] = measure(backbone, gen=gen_length, repeats=repeats, batches=sizes, only=parts)
    facts = machine(backbone)
    if json:
        print_json({"machine": facts, "rows": rows})
        return
    echo(", ".join(f"{name} {value}" for name, value in facts.items()), err=True)
    print_table([{**row, "value": f"{row['value']:.3g}"} for row in rows])
