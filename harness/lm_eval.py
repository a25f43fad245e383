"""lm-eval's own command line with our models and tasks registered: `harness lm-eval ...`.

    harness lm-eval run --model dllm --model_args method=tad_speed,suite=mini --tasks mini_gsm8k --limit 8

Released lm-eval (0.4.13) finds no models by entry point, so they are registered here before its command line starts.
`python -m harness.lm_eval ...` is the same command.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from harness.errors import UsageError
from harness.settings import whole

MODEL = "dllm"
NO_REQUEST_CACHE = (
    "--cache_requests stores prompts together with their generation arguments and finds them by task name and shots "
    "alone, so that --gen_kwargs, an edited task or another task of that name would be ignored; leave it out, prompts "
    "are made in seconds."
)


def main() -> None:
    """`python -m harness.lm_eval ...`: as `run`, with one sentence instead of a traceback for the user's mistakes."""
    from harness.packages import check_packages

    try:
        check_packages()
        run(sys.argv[1:])
    except Exception as error:
        code = getattr(error, "exit_code", None)
        if not isinstance(code, int):
            raise
        from harness.terminal import echo

        echo(f"harness: {error}", err=True)
        sys.exit(code)


def run(words: Sequence[str]) -> None:
    """lm-eval's command line on `words`. Raises UsageError for options of it that our model cannot obey."""
    from lm_eval import evaluator
    from lm_eval._cli import HarnessCLI
    from lm_eval.utils import setup_logging

    import harness.adapter  # noqa: F401  (registers the model)
    from harness.lm_tasks import FOLDER

    words = list(words)
    if len(words) > 1 and words[0].startswith("--"):  # lm-eval's older spelling, without a command
        words.insert(0, "run")
    if words[:1] == ["run"] and not any(word.startswith("--include_path") for word in words):
        words += ["--include_path", str(FOLDER)]
    setup_logging()
    before, commit = sys.argv, evaluator.get_git_commit_hash
    sys.argv = ["lm-eval", *words]  # its parser reads no other
    evaluator.get_git_commit_hash = git_commit
    try:
        command_line = HarnessCLI()
        arguments = command_line.parse_args()
        prepare(arguments)
        command_line.execute(arguments)
    finally:
        sys.argv, evaluator.get_git_commit_hash = before, commit


def prepare(arguments: argparse.Namespace) -> None:
    """Refuse options that our model cannot obey and pass on those that would not reach it; other models are left alone.

    Raises UsageError for --use_cache and --cache_requests, given as options or in the file of --config.
    """
    from lm_eval.utils import simple_parse_args_string

    from harness.adapter import NO_CACHE

    given = {**_configured(getattr(arguments, "config", None)), **_not_none(vars(arguments))}
    if given.get("command") != "run" or given.get("model") != MODEL:
        return
    if given.get("use_cache"):
        raise UsageError(NO_CACHE)
    if given.get("cache_requests"):
        raise UsageError(NO_REQUEST_CACHE)
    model = given.get("model_args") or {}
    model = simple_parse_args_string(model) if isinstance(model, str) else dict(model)
    seed = _torch_seed(given.get("seed"))
    if seed is not None:
        model.setdefault("seed", seed)  # what a decoder that samples draws from
    if given.get("device") is None:
        arguments.device = "auto"  # lm-eval's default is cuda:0, on machines without CUDA and on every rank
    arguments.model_args = model


def _configured(path: str | None) -> Mapping[str, Any]:
    if path is None:
        return {}
    from lm_eval.config.evaluate_config import EvaluatorConfig

    try:
        return EvaluatorConfig.load_yaml_config(path)
    except (OSError, ValueError, TypeError) as error:
        raise UsageError(f"--config {path}: {error}.") from error


def _torch_seed(seeds: Any) -> int | None:
    """torch's of lm-eval's four seeds (python, numpy, torch, few-shot); one number means all four."""
    if isinstance(seeds, (list, tuple)):
        seeds = seeds[2] if len(seeds) > 2 else seeds[0] if len(seeds) == 1 else None
    return None if seeds is None else whole("seed", seeds, 0)


def _not_none(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def git_commit() -> str | None:
    """The commit of the folder the command runs in, None outside a repository; upstream's lets git print there."""
    try:
        done = subprocess.run(["git", "describe", "--always"], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None


if __name__ == "__main__":
    main()
