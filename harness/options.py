"""Options that several verbs share: one name, one help sentence; and those that describe how a run is computed."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

RUNS = "results/runs"
REPORT = "out/report"  # where `harness report` writes unless --out names another folder


def methods() -> list[str]:
    """The methods' names, for shell completion."""
    from methods.registry import names

    return names()


def tasks() -> list[str]:
    """The tasks' names, for shell completion."""
    from tasks import protocols

    return list(protocols.tasks())


def suites() -> list[str]:
    """The suites' names, for shell completion."""
    from harness.suites import suite_names

    return suite_names()


Suite = Annotated[str, typer.Option(help="A suite of `harness ls suites`.", autocompletion=suites)]
Set = Annotated[list[str], typer.Option("--set", metavar="KEY=VALUE", help="A setting; may be given several times.")]
BatchSize = Annotated[int, typer.Option(min=1, help="Rows decoded together; changes the speed, not the tokens.")]


def _parsed_limit(text: str) -> float:
    from harness.documents import limit

    return limit(text)


Limit = Annotated[
    float | None,
    typer.Option(
        parser=_parsed_limit,
        metavar="N|SHARE",
        help="Only the first N documents, or that share of all (0.1); a larger limit continues later.",
    ),
]
Samples = Annotated[
    str | None, typer.Option(metavar="3,17-20", help="Only these documents, by id; they are stored, without a summary.")
]
DataDir = Annotated[str | None, typer.Option(help="Read the tasks' rows from DIR/DATASET/test.jsonl.")]
Checkpoint = Annotated[str | None, typer.Option(metavar="PATH|HUB_ID", help="Weights instead of the suite's.")]
Adapter = Annotated[str | None, typer.Option(metavar="PATH", help="A LoRA adapter on top of the weights.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps.")]
Dtype = Annotated[str, typer.Option(help="auto, float32, float64, bfloat16, float16, int8 or nf4.")]
Compile = Annotated[bool, typer.Option("--compile", help="Compile the model with torch.compile; pays on long runs.")]
ReuseMb = Annotated[float, typer.Option(min=0, help="Memory in MB for canvases that settings have in common.")]
NoReuse = Annotated[bool, typer.Option("--no-reuse", help="Compute every canvas again; the tokens are the same.")]
Protocol = Annotated[
    str | None, typer.Option(metavar="SET|FILE", help="Another protocol set, such as llada-tad, or a file.")
]
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
Config = Annotated[
    Path | None, typer.Option(metavar="FILE", help="An experiment file (`harness init` writes one) instead of flags.")
]
PrintConfig = Annotated[bool, typer.Option("--print-config", help="Print the experiment file that these flags mean.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
Format = Annotated[str, typer.Option("--format", metavar="table|md|csv|json", help="How the rows are written.")]


def refuse_beside_config(context: typer.Context, allowed: Sequence[str]) -> dict[str, Any]:
    """The fields of a RunSpec that flags override in an experiment file: those given and `allowed`.

    Raises UsageError for another flag beside --config that the file would contradict.
    """
    from harness.errors import UsageError

    given = {}
    for option in context.command.params:
        source = context.get_parameter_source(str(option.name))
        if source is None or source.name != "COMMANDLINE" or option.name == "config":
            continue
        if option.name == "no_reuse":
            given["reuse_mb"] = 0.0
        elif option.name in OVERRIDES:
            given[str(option.name)] = context.params[str(option.name)]
        elif option.name not in allowed:
            raise UsageError(f"{option.opts[0]} does not go with --config: the file says it. Leave it out.")
    return given


OVERRIDES = (
    "limit",
    "samples",
    "batch_size",
    "data_dir",
    "device",
    "dtype",
    "compile",
    "reuse_mb",
    "out",
    "unconfined",
)


def form(name: str, as_json: bool) -> str:
    """The format that --format and --json ask for. Raises UsageError for an unknown one."""
    from harness.errors import unknown
    from harness.layout import FORMATS

    if name not in FORMATS:
        raise unknown("format", name, FORMATS)
    return "json" if as_json else name


@dataclass(frozen=True)
class RunOptions:
    """What `run` and `sweep` share: the fields of a RunSpec that say what is measured and how it is computed."""

    suite: Suite = "mini"
    limit: Limit = None
    samples: Samples = None
    batch_size: BatchSize = 16
    data_dir: DataDir = None
    checkpoint: Checkpoint = None
    adapter: Adapter = None
    device: Device = "auto"
    dtype: Dtype = "auto"
    compile: Compile = False
    reuse_mb: ReuseMb = 512.0
    no_reuse: NoReuse = False
    protocol: Protocol = None
    fidelity: Fidelity = "fixed"
    label: Label = None
    out: Out = RUNS
    unconfined: Unconfined = False

    def spec(self, **more: Any) -> Any:
        """The RunSpec of these options and `more`."""
        from harness.runner.spec import RunSpec

        values = {field.name: getattr(self, field.name) for field in fields(self)}
        if values.pop("no_reuse"):
            values["reuse_mb"] = 0.0
        return RunSpec(**values, **more)


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
