"""Options that several verbs share: one name, one help sentence."""

from __future__ import annotations

from typing import Annotated

import typer

BatchSize = Annotated[int, typer.Option(min=1, help="Rows decoded together; changes the speed, not the tokens.")]
Limit = Annotated[int | None, typer.Option(min=1, help="Only the first N documents; a larger limit continues later.")]
DataDir = Annotated[str | None, typer.Option(help="Read the tasks' rows from DIR/DATASET/test.jsonl.")]
Checkpoint = Annotated[str | None, typer.Option(metavar="PATH|HUB_ID", help="Weights instead of the suite's.")]
Adapter = Annotated[str | None, typer.Option(metavar="PATH", help="A LoRA adapter on top of the weights.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps.")]
Dtype = Annotated[str, typer.Option(help="auto, float32, bfloat16, float16, int8 or nf4.")]
Compile = Annotated[bool, typer.Option("--compile", help="Compile the model with torch.compile; pays on long runs.")]
Protocol = Annotated[str | None, typer.Option(metavar="SET", help="Another protocol set, such as llada-tad.")]
Fidelity = Annotated[str, typer.Option(help="fixed, or compat: with the reference code's own behaviour.")]
Out = Annotated[str, typer.Option(help="The folder of all runs.")]
Unconfined = Annotated[
    bool,
    typer.Option("--allow-unconfined-code", help="Execute generated code even if this machine cannot confine it."),
]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
