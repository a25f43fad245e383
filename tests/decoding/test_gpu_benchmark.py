"""benchmarks/gpu.py on a shape that a CPU can hold."""

from __future__ import annotations

import torch

from benchmarks import gpu


def test_reuse_saves_forwards_and_no_tokens_on_the_tiny_shape() -> None:
    backbone = gpu.make("tiny", "cpu", torch.float32)
    asked = gpu.requests(1, (0.0, 0.5))
    _, needed, ran, plain = gpu.timed(backbone, asked, 2, 0)
    _, needed_again, ran_again, reused = gpu.timed(backbone, asked, 2, 512)
    assert (plain, needed) == (reused, needed_again)
    assert ran == needed > ran_again


def test_the_floor_is_the_slower_of_reading_and_computing() -> None:
    backbone = gpu.make("tiny", "cpu", torch.float32)
    slow_memory, slow_matmuls = gpu.floor(backbone, 1, 1.0, 1e30), gpu.floor(backbone, 1, 1e30, 1.0)
    layer = 4 * 64 * 64 + 3 * 64 * 128 + 2 * 64
    assert slow_memory == 4 * (2 * layer + 512 * 64)
    assert slow_matmuls == 2 * (2 * layer * (gpu.PROMPT + gpu.GENERATED) + 512 * 64 * gpu.BLOCK)
    assert gpu.floor(backbone, 4, 1e30, 1.0) == 4 * slow_matmuls
