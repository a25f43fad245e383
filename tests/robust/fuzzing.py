"""What the fuzz tests share: a verb called with a damaged file succeeds or ends in one sentence and exit 1 or 2."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from pathlib import Path

from hypothesis import HealthCheck, settings

COUNT = int(os.environ.get("FUZZ_EXAMPLES", "25"))  # examples a test; more of them in a longer session
EXAMPLES = settings(max_examples=COUNT, deadline=None, suppress_health_check=list(HealthCheck))


def content(folder: Path) -> dict[str, bytes]:
    """Every file below `folder` but the locks, whose content says nothing."""
    return {
        str(file): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file() and file.name != ".lock"
    }


def verb(*arguments: str) -> tuple[int, str, str]:
    """A verb in this process: exit code, stdout, stderr. An exception that is no sentence passes through."""
    from harness import cli

    out, err, old = io.StringIO(), io.StringIO(), sys.argv
    sys.argv, code = ["harness", *arguments], 0
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            cli.main()
    except SystemExit as error:
        code = int(error.code or 0)
    finally:
        sys.argv = old
    return code, out.getvalue(), err.getvalue()


def sentence(*arguments: str) -> int:
    """Call a verb; fail unless it succeeds or ends in one printable sentence. Returns the exit code."""
    code, out, err = verb(*arguments)
    assert code in (0, 1, 2), (arguments, code)
    for text in (out, err):
        assert "Traceback" not in text
        assert all(c.isprintable() or c == "\n" for c in text), ascii(text)
    if code:
        lines = err.strip().splitlines()
        assert len(lines) == 1, err
        assert lines[0].startswith("harness: ") or "Error" in lines[0], err
        assert len(err) < 2000
    return code
