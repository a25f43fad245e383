"""Options that several verbs share: one name, one help sentence; and those that describe how a run is computed."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import wraps
from typing import Annotated, Any, get_type_hints

import typer

Suite = Annotated[str, typer.Option(help="A suite of `harness ls suites`.")]
Set = Annotated[list[str], typer.Option("--set", metavar="KEY=VALUE", help="A setting; may be given several times.")]
BatchSize = Annotated[int, typer.Option(min=1, help="Rows decoded together; changes the speed, not the tokens.")]
Limit = Annotated[int | None, typer.Option(min=1, help="Only the first N documents; a larger limit continues later.")]
DataDir = Annotated[str | None, typer.Option(help="Read the tasks' rows from DIR/DATASET/test.jsonl.")]
Checkpoint = Annotated[str | None, typer.Option(metavar="PATH|HUB_ID", help="Weights instead of the suite's.")]
Adapter = Annotated[str | None, typer.Option(metavar="PATH", help="A LoRA adapter on top of the weights.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps.")]
Dtype = Annotated[str, typer.Option(help="auto, float32, float64, bfloat16, float16, int8 or nf4.")]
Compile = Annotated[bool, typer.Option("--compile", help="Compile the model with torch.compile; pays on long runs.")]
Protocol = Annotated[str | None, typer.Option(metavar="SET", help="Another protocol set, such as llada-tad.")]
Fidelity = Annotated[str, typer.Option(help="fixed, or compat: with the reference code's own behaviour.")]
Label = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Names the row in tables; {method} stands for the method's name."),
]
Out = Annotated[str, typer.Option(help="The folder of all runs.")]
Unconfined = Annotated[
    bool,
    typer.Option("--allow-unconfined-code", help="Execute generated code even if this machine cannot confine it."),
]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]


@dataclass(frozen=True)
class RunOptions:
    """What `run` and `sweep` share: the fields of a RunSpec that say what is measured and how it is computed."""

    suite: Suite = "mini"
    limit: Limit = None
    batch_size: BatchSize = 16
    data_dir: DataDir = None
    checkpoint: Checkpoint = None
    adapter: Adapter = None
    device: Device = "auto"
    dtype: Dtype = "auto"
    compile: Compile = False
    protocol: Protocol = None
    fidelity: Fidelity = "fixed"
    label: Label = None
    out: Out = "results/runs"
    unconfined: Unconfined = False

    def spec(self, **more: Any) -> Any:
        """The RunSpec of these options and `more`."""
        from harness.runner.spec import RunSpec

        return RunSpec(**{field.name: getattr(self, field.name) for field in fields(self)}, **more)


def with_run_options(verb: Callable[..., None]) -> Callable[..., None]:
    """A verb whose last parameter is `options: RunOptions`, with each of them as an option of its own."""
    signature, hints = inspect.signature(verb), get_type_hints(RunOptions, include_extras=True)
    own = [parameter for name, parameter in signature.parameters.items() if name != "options"]
    only = inspect.Parameter.KEYWORD_ONLY
    shared = [
        inspect.Parameter(field.name, only, default=field.default, annotation=hints[field.name])
        for field in fields(RunOptions)
    ]
    names = {field.name for field in fields(RunOptions)}

    @wraps(verb)
    def command(**values: Any) -> None:
        options = RunOptions(**{name: value for name, value in values.items() if name in names})
        verb(**{name: value for name, value in values.items() if name not in names}, options=options)

    own_hints = get_type_hints(verb, include_extras=True)
    parameters = [one.replace(kind=only, annotation=own_hints[one.name]) for one in own]
    command.__signature__ = signature.replace(parameters=[*parameters, *shared])  # type: ignore[attr-defined]
    command.__annotations__ = {one.name: one.annotation for one in (*parameters, *shared)}
    return command
