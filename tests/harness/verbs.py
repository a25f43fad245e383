"""Verbs called in the test's own process."""

from __future__ import annotations

import sys
from typing import Any


def in_process(capsys: Any, *arguments: str) -> tuple[int, str, str]:
    """A verb without the cost of a process: exit code, stdout, stderr."""
    from harness import cli

    old, sys.argv = sys.argv, ["harness", *arguments]
    try:
        cli.main()
        code = 0
    except SystemExit as error:
        code = int(error.code or 0)
    finally:
        sys.argv = old
    return (code, *capsys.readouterr())
