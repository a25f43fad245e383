"""`harness decode`: the bare decoder on token ids, no tokenizer, no task."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import typer

from harness import options
from harness.errors import UsageError, UserError

EXAMPLE = (
    'harness decode --checkpoint tests/data/golden/checkpoints --settings \'{"fidelity": "compat"}\' '
    "--prompts cases.jsonl --out out.jsonl"
)


def decode(
    checkpoint: Path = typer.Option(..., help="Folder with config.json and safetensors, or a folder of such folders."),
    prompts: Path = typer.Option(
        ..., help="JSON Lines with id and prompt_ids; optionally decoder, settings, checkpoint."
    ),
    out: Path = typer.Option(
        ..., help="JSON Lines: id, output_ids, nfe, actual_forwards, forwards, positions, reveal_step."
    ),
    decoder: str | None = typer.Option(
        None, help="A published decoder (llada.multi_block, ...) or a method (d3llm, ...)."
    ),
    settings: str = typer.Option("{}", help='JSON object of the decoder\'s settings, and "fidelity": fixed or compat.'),
    batch_size: int = typer.Option(32, min=1, help="Rows decoded at once; the result does not depend on it."),
    device: str = typer.Option("auto", help="auto, cpu or cuda."),
    dtype: str = typer.Option("auto", help="auto, float32, float64, bfloat16, float16, int8 or nf4."),
    as_json: options.Json = False,
) -> None:
    """Decode prompts given as token ids; a line's own decoder, settings and checkpoint win over the flags."""
    values = _settings(settings)
    if not prompts.is_file():
        raise UsageError(f"There is no file {prompts}; --prompts takes JSON Lines with id and prompt_ids.")
    from rich.console import Console
    from rich.progress import Progress

    from harness.show import print_json
    from methods.reference.prompts_file import decode_lines

    if out.is_dir():
        raise UsageError(f"--out {out} is a folder; it takes the name of a file, such as {out / 'out.jsonl'}.")
    lines = _lines(prompts, checkpoint, decoder, values)
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("decoding", total=len(lines))
        rows = list(
            decode_lines(
                lines,
                batch_size=batch_size,
                device=device,
                dtype=dtype,
                done=lambda count: bar.update(task, completed=count),
            )
        )
    _write(out, rows)
    if as_json:
        print_json({"rows": len(rows), "out": str(out)})
    typer.echo(f"{len(rows)} rows in {out}", err=True)


def _lines(prompts: Path, checkpoint: Path, decoder: str | None, settings: dict[str, Any]) -> list[Any]:
    from methods.reference.prompts_file import read_lines

    try:
        with prompts.open(encoding="utf-8") as text:
            return read_lines(text, checkpoint, decoder, settings)
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{prompts} cannot be read as UTF-8 text: {error}.") from None


def _write(out: Path, rows: list[Any]) -> None:
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    except OSError as error:
        raise UserError(f"{out} cannot be written: {error.strerror}.") from None


def _settings(text: str) -> dict[str, Any]:
    try:
        values = json.loads(text)
    except ValueError as error:
        raise UsageError(f"--settings is not JSON ({error}); write it like '{{\"threshold\": 0.5}}'.") from None
    if not isinstance(values, dict):
        raise UsageError("--settings must be a JSON object, like '{\"threshold\": 0.5}'.")
    return values
