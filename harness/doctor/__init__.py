"""What works on this machine and what does not, said before anything is downloaded, with the command that mends it.

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

    state: `ok`; `optional` (something that is not needed for what was asked); `missing` (what was asked cannot run).
    says: what was found. fix: the command, or the step, that mends it; empty when nothing is to be done.
    """

    check: str
    state: str
    says: str
    fix: str = ""

    def as_dict(self) -> dict[str, Any]:
        """A row for tables and JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Wish:
    """What the user wants to run. device and dtype as on the command line; offline: ask no network."""

    suite: str | None = None
    checkpoint: str | None = None
    adapter: str | None = None
    device: str = "auto"
    dtype: str = "auto"
    batch_size: int = 16
    gen_length: int = 256
    offline: bool = False


def checks(wish: Wish) -> Iterator[Finding]:
    """The findings, cheapest first: the machine, then the suite's or the given checkpoint's needs.

    Raises UsageError for an unknown suite, device or dtype before anything is looked at.
    """
    from harness.doctor import checkpoints, machine
    from harness.suites import load_suite
    from methods.backbones.memory import ITEM

    suite = load_suite(wish.suite) if wish.suite else None
    if not _DEVICE.fullmatch(wish.device):
        raise unknown("device", wish.device, ["auto", "cpu", "cuda", "cuda:0", "mps"])
    if machine.dtype(wish) not in ITEM:
        raise unknown("dtype", wish.dtype, ["auto", *ITEM])
    yield from machine.findings(wish)
    if wish.checkpoint is not None:
        yield from checkpoints.of_source("--checkpoint", wish.checkpoint, wish.adapter, wish)
    elif suite is not None:
        yield from checkpoints.of_suite(suite, wish)
    elif wish.adapter is not None:
        yield checkpoints.adapter_of("given", wish.adapter, wish)
