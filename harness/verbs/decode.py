"""`harness decode`: one prompt as text, or the bare decoder on token ids; no task."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import typer

from harness import options
from harness.errors import UsageError, UserError
from harness.one_prompt import Ask, decode_text, print_answer
from harness.settings import parse
from harness.store.files import write_atomic
from harness.terminal import echo

EXAMPLE = (
    'harness decode --method tad_speed --trace --text "Question: Tom has 3 apples and buys 4. How many?"   '
    'harness decode --checkpoint tests/data/golden/checkpoints --settings \'{"fidelity": "compat"}\' '
    "--prompts cases.jsonl --out out.jsonl"
)


def decode(
    checkpoint: str | None = typer.Option(
        None, help="Folder with config.json and safetensors, or of such folders; with --text also org/name."
    ),
    prompts: Path | None = typer.Option(
        None, help="JSON Lines with id and prompt_ids; optionally decoder, settings, checkpoint."
    ),
    out: Path | None = typer.Option(
        None, help="JSON Lines: id, output_ids, nfe, actual_forwards, forwards, positions, reveal_step."
    ),
    decoder: str | None = typer.Option(
        None, help="A published decoder (llada.multi_block, ...) or a method (d3llm, ...)."
    ),
    text: str | None = typer.Option(None, metavar="TEXT", help="One prompt as text, instead of --prompts and --out."),
    method: str | None = typer.Option(
        None, "--method", "-m", help="With --text: a method of `harness ls methods`.", autocompletion=options.methods
    ),
    suite: options.Suite = "mini",
    set_: options.Set = [],  # noqa: B006  (typer's way to say: may be repeated)
    chat: bool = typer.Option(True, help="With --text: wrap it in the tokenizer's chat template, if it has one."),
    trace: bool = typer.Option(False, "--trace", help="With --text: which forward pass committed which token."),
    seed: int = typer.Option(0, help="With --text: seed of a method that samples."),
    settings: str = typer.Option("{}", help='JSON object of the decoder\'s settings, and "fidelity": fixed or compat.'),
    batch_size: int = typer.Option(32, min=1, help="Rows decoded at once; the result does not depend on it."),
    device: str = typer.Option("auto", help="auto, cpu or cuda."),
    dtype: str = typer.Option("auto", help="auto, float32, float64, bfloat16, float16, int8 or nf4."),
    reuse_mb: options.ReuseMb = 512.0,
    no_reuse: options.NoReuse = False,
    as_json: options.Json = False,
) -> None:
    """Decode one prompt given as text, or many as token ids; a line's own decoder, settings and checkpoint win."""
    if text is not None:
        if prompts is not None or method is None:
            raise UsageError("--text needs --method M, and goes without --prompts.")
        _one(Ask(text, method, suite, parse(set_), checkpoint, chat, seed, device, dtype), trace, as_json)
        return
    if checkpoint is None or prompts is None or out is None:
        raise UsageError("One prompt needs --text and --method, token ids need --checkpoint, --prompts and --out.")
    values = _settings(settings)
    if not prompts.is_file():
        raise UsageError(f"There is no file {prompts}; --prompts takes JSON Lines with id and prompt_ids.")
    from rich.console import Console
    from rich.progress import Progress

    from harness.show import print_json
    from methods.reference.prompts_file import decode_lines

    if out.is_dir():
        raise UsageError(f"--out {out} is a folder; it takes the name of a file, such as {out / 'out.jsonl'}.")
    lines = _lines(prompts, Path(checkpoint), decoder, values)
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("decoding", total=len(lines))
        rows = list(
            decode_lines(
                lines,
                batch_size=batch_size,
                device=device,
                dtype=dtype,
                reuse_mb=0 if no_reuse else reuse_mb,
                done=lambda count: bar.update(task, completed=count),
            )
        )
    _write(out, rows)
    if as_json:
        print_json({"rows": len(rows), "out": str(out)})
    echo(f"{len(rows)} rows in {out}", err=True)


def _one(ask: Ask, trace: bool, as_json: bool) -> None:
    from harness.show import print_json

    echo(f"{ask.method}: loading", err=True)
    line = decode_text(ask)
    if as_json:
        print_json(line)
    else:
        print_answer(line, trace)


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
        write_atomic(out, (json.dumps(row) + "\n" for row in rows))
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
