"""lm-eval's own command line with our models registered.

    python -m harness.lm_eval run --model dllm --model_args method=tad_speed,suite=mini --tasks mini_gsm8k --limit 8

Released lm-eval (0.4.13) finds no models by entry point, so they are registered here before its command line starts.
"""

from __future__ import annotations

import sys


def main() -> None:
    """Run `lm-eval` with the model `dllm` known; our sentences for the user's mistakes instead of tracebacks."""
    from lm_eval.__main__ import cli_evaluate

    import harness.adapter  # noqa: F401  (registers the model)
    from harness.lm_tasks import FOLDER

    if len(sys.argv) > 2 and sys.argv[1].startswith("--"):  # lm-eval's older spelling, without a command
        sys.argv.insert(1, "run")
    if sys.argv[1:2] == ["run"] and not any(word.startswith("--include_path") for word in sys.argv):
        sys.argv += ["--include_path", str(FOLDER)]
    try:
        cli_evaluate()
    except Exception as error:
        code = getattr(error, "exit_code", None)
        if not isinstance(code, int):
            raise
        print(f"harness: {error}", file=sys.stderr)
        sys.exit(code)


if __name__ == "__main__":
    main()
