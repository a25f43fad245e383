"""What works on this machine and what does not, reported before anything is downloaded, with the command that fixes it.

torch is never imported here: versions come from package metadata, the GPU from `nvidia-smi`, weights from file headers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from harness.errors import unknown

_DEVICE = re.compile(r"auto|cpu|mps|cuda(:\d+)?")


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
class Request:
    """What the user wants to run. device and dtype as on the command line; offline: make no network request."""

    suite: str | None = None
    checkpoint: str | None = None
    adapter: str | None = None
    device: str = "auto"
    dtype: str = "auto"
    batch_size: int = 16
    gen_length: int = 256
    offline: bool = False


def checks(request: Request) -> Iterator[Finding]:
    """The findings, cheapest first: the machine, then the requirements of the suite or the given checkpoint.

    Raises UsageError for an unknown suite, device or dtype before anything is checked.
    """
    from harness.doctor import checkpoints, machine
    from harness.suites import load_suite
    from methods.backbones.memory import ITEM

    suite = load_suite(request.suite) if request.suite else None
    if not _DEVICE.fullmatch(request.device):
        raise unknown("device", request.device, ["auto", "cpu", "cuda", "cuda:0", "mps"])
    if machine.dtype(request) not in ITEM:
        raise unknown("dtype", request.dtype, ["auto", *ITEM])
    yield from machine.findings(request)
    if request.checkpoint is not None:
        yield from checkpoints.of_source("--checkpoint", request.checkpoint, request.adapter, request, suite=suite)
    elif suite is not None:
        yield from checkpoints.of_suite(suite, request)
    elif request.adapter is not None:
        yield checkpoints.adapter_of("given", request.adapter, request)
