"""How well a training uses the machine: floating-point operations of a step, and what a bare matmul reaches."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from torch.utils.flop_counter import FlopCounterMode

SIDE = 1024


def matmul_rate(half: bool, device: str = "cpu", repeats: int = 5) -> float:
    """GFLOP/s of the best of `repeats` products of two 1024 x 1024 matrices, with the threads torch has now.

    half: in bfloat16, else in float32.
    """
    dtype = torch.bfloat16 if half else torch.float32
    left, right = (torch.randn(SIDE, SIDE, device=device).to(dtype) for _ in range(2))
    best = float("inf")
    for _ in range(repeats + 1):
        began = time.perf_counter()
        float((left @ right)[0, 0])  # reading one number waits for the device
        best = min(best, time.perf_counter() - began)
    return round(2 * SIDE**3 / best / 1e9, 1)


def counted_flops(work: Callable[[], object]) -> int:
    """Floating-point operations of the matrix products and attentions in `work`, backward passes included."""
    with FlopCounterMode(display=False) as counter:
        work()
    return int(counter.get_total_flops())
