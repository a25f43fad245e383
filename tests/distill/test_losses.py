"""Losses: parity with the references' recorded values, and chunked = plain for value and gradient."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor

from methods.distill import losses, masks

GOLDEN = Path(__file__).parents[1] / "data" / "golden"
CASES: list[dict[str, Any]] = json.loads((GOLDEN / "losses.json").read_text())["cases"]
ARRAYS = np.load(GOLDEN / "losses.npz")
D3LLM = [case for case in CASES if case["kind"].startswith("d3llm")]
TAD = [case for case in CASES if case["kind"].startswith("tad")]


def arrays(case: dict[str, Any]) -> dict[str, Tensor]:
    made = {name: torch.from_numpy(ARRAYS[f"{case['id']}/{name}"]) for name in case["arrays"]}
    return {name: value.long() if value.dtype == torch.int16 else value for name, value in made.items()}


def aligned(logits: Tensor, shifted: bool) -> Tensor:
    return torch.cat([logits[:, :1], logits[:, :-1]], 1) if shifted else logits


def certainty_case(case: dict[str, Any], chunk: int | None) -> tuple[Tensor, dict[str, Tensor]]:
    a, dream = arrays(case), case["kind"] == "d3llm_dream"
    views = []
    for logits, masked in (("logits", "masked"), ("logits_rev", "masked_rev")):
        rows = aligned(a[logits], dream)[a[masked]]
        targets = a["input_ids"][a[masked]]
        views.append(losses.certainty(rows, targets, losses.identity, case["temperature"], chunk))
    return losses.certainty_forcing(
        views[0],
        views[1] if case["use_complementary_loss"] else None,
        entropy_weight=case["entropy_weight"],
        entropy_both=dream,
        divisor=4.0,
    )


@pytest.mark.parametrize("chunk", [None, 3])
@pytest.mark.parametrize("case", D3LLM, ids=lambda case: case["id"])
def test_d3llm_equals_the_reference(case: dict[str, Any], chunk: int | None) -> None:
    loss, parts = certainty_case(case, chunk)
    assert float(loss) == pytest.approx(case["loss"], rel=1e-5)
    assert float(parts["ce"]) == pytest.approx(case["ce"], rel=1e-5)
    assert float(parts["entropy"]) == pytest.approx(case["entropy"], rel=1e-5, abs=1e-7)
    if case["use_complementary_loss"]:
        assert float(parts["ce_rev"]) == pytest.approx(case["ce_complementary"], rel=1e-5)


@pytest.mark.parametrize("chunk", [None, 5])
@pytest.mark.parametrize("case", TAD, ids=lambda case: case["id"])
def test_tad_equals_the_reference(case: dict[str, Any], chunk: int | None) -> None:
    a, dream = arrays(case), case["kind"] == "tad_dream"
    near, distant = a["student_ce_mask"].bool(), a["student_kl_mask"].bool()
    student, teacher = aligned(a["student_logits"], dream), aligned(a["teacher_logits"], dream)
    ce = losses.hard_sum(student[near], a["labels"][near], losses.identity, chunk)
    teacher_rows = teacher[a["teacher_kl_mask"].bool()]
    kl = losses.kl_sum(student[distant], teacher_rows, losses.identity, losses.identity, case["tau"], chunk)
    assert (int(near.sum()), int(distant.sum())) == (case["ce_tokens"], case["kl_tokens"])
    loss, parts = losses.near_distant(
        ce,
        near.sum().float(),
        kl,
        distant.sum().float(),
        lambda_ce=case["lambda_ce"],
        lambda_kl=case["lambda_kl"],
        tau=case["tau"],
    )
    assert float(loss) == pytest.approx(case["loss"], rel=1e-5)
    assert float(parts["ce"]) == pytest.approx(case["loss_ce"], rel=1e-5)
    assert float(parts["kl"]) == pytest.approx(case["loss_kl"], rel=1e-5)


def reveal_of(states: NDArray[np.int64], mask: int) -> NDArray[np.int64]:
    """First state (1-based after the all-masked one) in which a position is not masked; 0 = never."""
    used = states[(states >= 0).all(1)]
    shown = used != mask
    return np.where(shown.any(0), shown.argmax(0), 0)


@pytest.mark.parametrize("case", [c for c in D3LLM if c["trajectory_used"]], ids=lambda case: case["id"])
def test_d3llm_masks_equal_the_reference(case: dict[str, Any]) -> None:
    """compat: golden states start all masked, so `first_state` is 0."""
    a = {name: value.numpy() for name, value in arrays(case).items()}
    width = a["input_ids"].shape[1]
    for row, (prompt, full) in enumerate(zip(case["prompt_lengths"], case["full_lengths"], strict=True)):
        reveal = reveal_of(a["trajectories"][row], case["mask_id"])[prompt:]
        padded, dream = width - prompt, case["kind"] == "d3llm_dream"
        length, block = padded if dream else full - prompt, case["block_size"]
        start, end = 0, padded
        if case["blockwise"]:
            assert masks.choices(length, block, compat=True) == case["chosen_block_ranges"][row][1] + 1
            start, end = masks.region(case["chosen_blocks"][row], block, length, padded, compat=True)
        view = masks.pseudo_trajectory(reveal, start, end, case["mask_ratio"], compat=True, first_state=0)
        np.testing.assert_array_equal(view.masked, a["masked"][row, prompt:])
        np.testing.assert_array_equal(view.complement, a["masked_rev"][row, prompt:])
        response = a["input_ids"][row, prompt:]
        noisy = np.where(view.masked | view.future, case["mask_id"], response)
        np.testing.assert_array_equal(noisy, a["noisy"][row, prompt:])
        noisy_rev = np.where(view.complement | view.future, case["mask_id"], response)
        np.testing.assert_array_equal(noisy_rev, a["noisy_rev"][row, prompt:])


@pytest.mark.parametrize("case", TAD, ids=lambda case: case["id"])
def test_tad_partition_equals_the_reference(case: dict[str, Any]) -> None:
    a = {name: value.numpy() for name, value in arrays(case).items()}
    for row, (record, step) in enumerate(case["index_map"]):
        trajectory = case["records"][record]["trajectory"]
        states = np.array([trajectory[f"step{index}"] for index in range(len(trajectory))])
        reveal, size = reveal_of(states, case["mask_id"]), states.shape[1]
        near, distant = masks.near_distant(reveal, step, case["delta"])
        start = len(case["records"][record]["prompt"])
        np.testing.assert_array_equal(near, a["student_ce_mask"][row, start : start + size].astype(bool))
        np.testing.assert_array_equal(distant, a["student_kl_mask"][row, start : start + size].astype(bool))
        shown = masks.state(states[-1], reveal, step, case["mask_id"])
        np.testing.assert_array_equal(shown, a["student_input_ids"][row, start : start + size])


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**31), st.integers(0, 23), st.integers(1, 9), st.sampled_from(["certainty", "kl", "soft", "ce"]))
def test_chunks_change_neither_value_nor_gradient(seed: int, rows: int, chunk: int, kind: str) -> None:
    made = torch.Generator().manual_seed(seed)
    hidden = torch.randn(rows, 6, generator=made, dtype=torch.float64)
    weight = torch.randn(11, 6, generator=made, dtype=torch.float64)
    teacher = torch.randn(rows, 11, generator=made, dtype=torch.float64)
    targets = torch.randint(0, 11, (rows,), generator=made)

    def value(size: int | None) -> tuple[Tensor, Tensor, Tensor]:
        x, w = hidden.clone().requires_grad_(), weight.clone().requires_grad_()

        def head(part: Tensor) -> Tensor:
            return part @ w.T

        if kind == "certainty":
            view = losses.certainty(x, targets, head, 0.5, size)
            loss, _ = losses.certainty_forcing(view, view, entropy_weight=2.0, entropy_both=True)
        elif kind == "kl":
            loss = losses.kl_sum(x, teacher, head, losses.identity, 2.0, size)
        elif kind == "soft":
            loss = losses.soft_sum(x, teacher, teacher.abs().sum(-1), head, losses.identity, size)
        else:
            loss = losses.hard_sum(x, targets, head, size)
        loss.backward()
        return loss.detach(), x.grad if x.grad is not None else x, w.grad if w.grad is not None else w

    for plain, pieces in zip(value(None), value(chunk), strict=True):
        torch.testing.assert_close(pieces, plain, rtol=2e-5, atol=2e-6)


def test_kl_is_zero_on_itself_and_soft_ce_is_kl_plus_entropy() -> None:
    made = torch.Generator().manual_seed(0)
    student, teacher = torch.randn(2, 5, 9, generator=made)
    assert float(losses.forward_kl(teacher, teacher).abs().max()) < 1e-6
    soft = losses.soft_sum(student, teacher, torch.ones(5), losses.identity, losses.identity)
    expected = (losses.forward_kl(student, teacher) + losses.entropy(teacher)).sum()
    torch.testing.assert_close(soft, expected)
