"""Pretraining of the mini models: what is masked, what it weighs, and that a stopped training goes on unchanged."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from methods.distill.pretrain import PretrainConfig, pretrain
from methods.distill.pretrain_data import Batch, Example, batches, collate, random_mask
from methods.errors import MethodsError

EOS, MASK, PAD = 0, 1, 2
TINY = PretrainConfig(
    hidden=16, layers=1, heads=2, mlp=16, vocab=40, steps=4, batch=4, bf16=False, compile=False, warmup=1
)


def toy(rng: random.Random) -> Example:
    prompt, answer = ([rng.randint(3, 39) for _ in range(rng.randint(2, 6))] for _ in range(2))
    return Example(prompt, answer, [rng.random() < 0.4 for _ in answer], rng.random() < 0.2)


def a_batch(seed: int, size: int = 24) -> Batch:
    rng = random.Random(seed)
    return collate([toy(rng) for _ in range(size)], 16, EOS, 0.1)


@settings(max_examples=40)
@given(st.integers(0, 10**6))
def test_masks_stay_in_the_answer_and_drills_hide_what_is_decided(seed: int) -> None:
    batch = a_batch(seed)
    masked, weight = random_mask(batch, 4, 0.5, 0.5, torch.Generator().manual_seed(seed))
    assert not (masked & ~batch.answer).any()
    assert (masked == batch.decided)[batch.drill].all()
    assert (weight == batch.weight)[batch.drill].all()
    assert (weight >= 0).all()
    assert weight.isfinite().all()


def test_rows_of_decided_tokens_alone() -> None:
    batch = a_batch(3)
    batch.drill[:] = False
    masked, weight = random_mask(batch, 4, 0.5, 1.0, torch.Generator().manual_seed(0))
    sure = batch.decided.any(1)
    assert sure.any()
    assert (masked == batch.decided)[sure].all()
    assert (weight == batch.weight)[sure].all()


def test_the_weight_makes_up_for_the_masking() -> None:
    """The expectation of weight over masked slots is the slots' own weight (LLaDA's 1/t under another t)."""
    batch = a_batch(5)
    batch.drill[:] = False
    generator, total = torch.Generator().manual_seed(1), torch.zeros_like(batch.weight)
    draws = 4000
    for _ in range(draws):
        masked, weight = random_mask(batch, 4, 0.0, 0.0, generator)
        total += masked * weight
    open_ = batch.answer & (batch.weight == 1.0)
    # t is cut off below 0.02: the integral of t * 2 / sqrt(t) over u is 0.98 + 0.04
    assert total[open_].mean() / draws == pytest.approx(1.02, abs=0.015)


def test_a_step_draws_the_same_batch_again() -> None:
    first, second = (batches(toy, random.Random("7"), 8, 2, 12, EOS) for _ in range(2))
    for a, b in zip(first, second, strict=True):
        assert a.ids.equal(b.ids)
        assert a.decided.equal(b.decided)


@pytest.mark.parametrize("kind", ["diffusion", "ar"])
def test_a_stopped_training_ends_with_the_same_weights(tmp_path: Path, kind: str) -> None:
    config, special = replace(TINY, kind=kind), {"eos": EOS, "mask": MASK, "pad": PAD}

    class Stop(Exception): ...

    def stop(step: int, loss: float, speed: float) -> None:
        if step == 2:
            raise Stop

    whole, record = pretrain(config, toy, special, tmp_path / "whole", save_every=1)
    with pytest.raises(Stop):
        pretrain(config, toy, special, tmp_path / "parts", on_step=stop, save_every=1)
    again, other = pretrain(config, toy, special, tmp_path / "parts", save_every=1)
    assert other["losses"] == record["losses"]
    for a, b in zip(whole.parameters(), again.parameters(), strict=True):
        assert a.equal(b)
    with pytest.raises(MethodsError, match="another configuration"):
        pretrain(replace(config, steps=5), toy, special, tmp_path / "parts")


def test_a_gradient_that_is_no_number_stops_before_it_is_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A finite loss can have an infinite gradient; one step of it would poison the stored state."""
    norm, special = torch.nn.utils.clip_grad_norm_, {"eos": EOS, "mask": MASK, "pad": PAD}
    calls: list[int] = []

    def third_is_infinite(parameters: Any, limit: float) -> Any:
        calls.append(1)
        return torch.tensor(math.inf) if len(calls) == 3 else norm(parameters, limit)

    monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", third_is_infinite)
    with pytest.raises(MethodsError, match="gradient's norm inf at step 2; the last good state"):
        pretrain(TINY, toy, special, tmp_path, save_every=1)
    assert torch.load(tmp_path / "state.pt", weights_only=True)["step"] == 2
    calls[:] = [1, 1]
    with pytest.raises(MethodsError, match="no state was stored"):
        pretrain(TINY, toy, special, tmp_path / "none", save_every=1)


def test_it_starts_from_other_weights(tmp_path: Path) -> None:
    special = {"eos": EOS, "mask": MASK, "pad": PAD}
    first, _ = pretrain(replace(TINY, kind="ar"), toy, special, tmp_path / "ar")
    still = replace(TINY, steps=1, lr_matrix=0.0, lr_other=0.0, init="f00d")
    second, _ = pretrain(still, toy, special, tmp_path / "base", weights=first.state_dict())
    for a, b in zip(first.parameters(), second.parameters(), strict=True):
        assert a.equal(b)
