"""What the doctor is asked (`Setup`) and what it answers (`Finding`)."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Finding:
    """One line of the doctor's report.

    state: `ok`; `optional` (not needed for what was requested); `missing` (what was requested cannot run).
    says: what was found. fix: the command, or the step, that solves it; empty when nothing has to be done.
    """

    check: str
    state: str
    says: str
    fix: str = ""

    def as_dict(self) -> dict[str, Any]:
        """A row for tables and JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Setup:
    """What the user wants to run. device and dtype as on the command line; offline: make no network request."""

    suite: str | None = None
    checkpoint: str | None = None
    adapter: str | None = None
    device: str = "auto"
    dtype: str = "auto"
    batch_size: int = 16
    gen_length: int = 256
    offline: bool = False
