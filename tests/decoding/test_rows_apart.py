"""Rows of a batch do not see each other, for every method by name (the property test draws only some of them)."""

from __future__ import annotations

import random
from typing import Any

import pytest
import torch

from methods.decoding import Factor, Request, Shape, begin
from tests.decoding.test_invariants import DLLM, TINY, family
from tests.decoding.tiny import EOS, MASK, backbone, method, run, same

SWEPT: dict[str, tuple[str, tuple[Any, ...]]] = {
    "vanilla": ("tokens_per_step", (1, 2, 3)),
    "fast_dllm_factor": ("factor", (0.3, 0.9, 1.5)),
    "eb_sampler": ("gamma", (0.0, 0.5, 2.0)),
    "prophet": ("gap_scale", (1e9, 1.0, 0.3)),
}


@pytest.mark.parametrize("arch", ["llada", "dream"])
@pytest.mark.parametrize("name", sorted(DLLM))
def test_a_batch_of_uneven_rows_gives_what_each_row_gives_alone(name: str, arch: str) -> None:
    draw = random.Random(7)
    key, choices = SWEPT.get(name, ("threshold", (0.2, 0.6, 0.9)))
    requests = [
        Request(
            [draw.randrange(47) for _ in range(length)],
            generated,
            method(name, arch, **TINY, **DLLM[name], **{key: choice}),
        )
        for length, generated, choice in zip((3, 17, 9), (24, 8, 16), choices, strict=True)
    ]
    model = backbone(family(name, arch), 1)
    together = run(model, requests, 3)
    assert all(same(one, run(model, [request])[0]) for one, request in zip(together, requests, strict=True))


def test_the_factor_rule_ranks_each_row_by_itself() -> None:
    decoder = method("fast_dllm_factor", factor=1.0, block_size=4)
    shape = Shape(5, MASK, torch.tensor([EOS]), 0, torch.device("cpu"))
    state = begin(decoder, shape, [Request([1], 4, decoder), Request([2], 4, decoder)])
    plan = decoder.blocks.plan(state)
    cost = torch.full((2, 5), torch.inf, dtype=torch.float64)
    cost[:, 1:] = -torch.tensor([[0.8, 0.1, 0.9, 0.76], [0.1, 0.3, 0.2, 0.1]])
    chosen = Factor().select(state, plan, cost)[:, 1:]
    assert chosen.tolist() == [[True, False, True, True], [False, True, False, False]]
