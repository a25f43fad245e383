"""Operations are those of the matrix products; the machine's rate is positive."""

from __future__ import annotations

import torch

from methods.distill.rate import counted_flops, matmul_rate


def test_a_linear_layer_costs_six_operations_per_weight_and_token() -> None:
    layer = torch.nn.Linear(8, 16, bias=False)
    rows = torch.randn(5, 8, requires_grad=True)
    assert counted_flops(lambda: layer(rows).sum().backward()) == 6 * 8 * 16 * 5


def test_matmul_rate_is_a_rate() -> None:
    assert matmul_rate(half=False) > 0.1
