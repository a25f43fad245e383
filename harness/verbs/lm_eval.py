"""`harness lm-eval`: lm-eval's own command line with our models and tasks registered."""

from __future__ import annotations

import typer

EXAMPLE = (
    "Example: harness lm-eval run --model dllm --model_args method=tad_speed,suite=mini --tasks mini_gsm8k --limit 8"
)
CONTEXT = {
    "allow_extra_args": True,
    "ignore_unknown_options": True,
    "allow_interspersed_args": False,  # what follows `run` is lm-eval's, its --help too
}


def lm_eval(
    words: list[str] = typer.Argument(None, metavar="ARGS", help="lm-eval's command and options; none: its own help."),
) -> None:
    """Run lm-eval's own command line with our model `dllm` and the mini tasks (`run --help`: its options)."""
    from harness.lm_eval import run

    run(words or [])
