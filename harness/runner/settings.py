"""`--set KEY=VALUE`: text from the command line, checked against the method later."""

from __future__ import annotations

from collections.abc import Iterable

from harness.errors import UsageError


def parse(pairs: Iterable[str]) -> dict[str, str]:
    """The settings of `KEY=VALUE` texts; the last of two equal keys counts. Raises UsageError for anything else."""
    settings = {}
    for pair in pairs:
        key, sign, value = pair.partition("=")
        if not sign or not key.strip() or not value.strip():
            raise UsageError(f"--set {pair} is not KEY=VALUE, for example --set threshold=0.5.")
        settings[key.strip()] = value.strip()
    return settings
