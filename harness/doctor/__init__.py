"""What works on this machine and what does not, reported before anything is downloaded, with the command that fixes it.

torch is never imported here: versions come from package metadata, the GPU from `nvidia-smi`, weights from file headers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from harness.doctor.finding import Finding, Setup
from harness.errors import unknown

__all__ = ["Finding", "Setup", "checks"]

_DEVICE = re.compile(r"auto|cpu|mps|cuda(:\d+)?")


def checks(setup: Setup) -> Iterator[Finding]:
    """The findings, cheapest first: the machine, then the requirements of the suite or the given checkpoint.

    Raises UsageError for an unknown suite, device or dtype before anything is checked.
    """
    from harness.doctor import checkpoints, machine
    from harness.suites import load_suite
    from methods.backbones.memory import ITEM

    suite = load_suite(setup.suite) if setup.suite else None
    if not _DEVICE.fullmatch(setup.device):
        raise unknown("device", setup.device, ["auto", "cpu", "cuda", "cuda:0", "mps"])
    if machine.dtype(setup) not in ITEM:
        raise unknown("dtype", setup.dtype, ["auto", *ITEM])
    yield from machine.findings(setup)
    if setup.checkpoint is not None:
        yield from checkpoints.of_source("--checkpoint", setup.checkpoint, setup.adapter, setup, suite=suite)
    elif suite is not None:
        yield from checkpoints.of_suite(suite, setup)
    elif setup.adapter is not None:
        yield checkpoints.adapter_of("given", setup.adapter, setup)
