"""The `harness` command: one Typer app made of the verbs in `harness/verbs/`, one file a verb.

A verb's module imports its heavy parts inside its function, so that `--help` answers at once.
"""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperGroup

import harness
from harness.packages import check_packages
from harness.terminal import echo


class Verbs(TyperGroup):
    """The verbs; Ctrl-C ends each of them with a sentence."""

    def invoke(self, ctx: Any) -> Any:
        """Run the verb that was given."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:  # caught here: Typer would end in silence
            print("harness: interrupted; what was finished is kept.", file=sys.stderr)
            raise typer.Exit(130) from None


app = typer.Typer(
    name="harness",
    cls=Verbs,
    help="Accuracy under parallel decoding for diffusion language models: run, sweep, report.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)

# the order of `harness --help`, by file name in harness/verbs; a file that is not named here comes after these
ORDER = (
    "run",
    "init",
    "sweep",
    "report",
    "table",
    "audit",
    "ls",
    "show",
    "compare",
    "score",
    "merge",
    "decode",
    "bench",
    "lm_eval",
    "pretrain",
    "trajectories",
    "train",
    "regenerate",
    "doctor",
    "validate",
)


def _version(value: bool) -> None:
    if value:
        typer.echo(f"harness {harness.__version__}")
        raise typer.Exit


@app.callback()
def _main(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Show the version."),
) -> None:
    """Accuracy under parallel decoding for diffusion language models: run, sweep, report."""


def _register() -> None:
    found = {file.stem for file in (Path(__file__).parent / "verbs").glob("*.py") if file.stem[0] != "_"}
    for stem in sorted(found, key=lambda verb: (ORDER.index(verb) if verb in ORDER else len(ORDER), verb)):
        module = importlib.import_module(f"harness.verbs.{stem}")
        target: Any = getattr(module, "app", None) or getattr(module, stem)
        name = stem.replace("_", "-")
        if isinstance(target, typer.Typer):
            app.add_typer(target, name=name)
        else:
            context = getattr(module, "CONTEXT", None)  # of a verb that passes its words on
            epilog = getattr(module, "EXAMPLE", None)
            app.command(name, epilog=epilog, no_args_is_help=False, context_settings=context)(target)


_register()


def main() -> None:
    """Run the command line; errors that carry an `exit_code` become one sentence on stderr."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    try:
        check_packages()
        app()
    except Exception as error:
        code = getattr(error, "exit_code", None)
        if not isinstance(code, int):
            raise
        echo(f"harness: {error}", err=True)
        sys.exit(code)


if __name__ == "__main__":
    main()
