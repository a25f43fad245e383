"""Mask constructions: invariants, and every fixed defect by name."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from methods.distill import attention, masks, recipe
from methods.distill.dataset import generator
from methods.distill.objectives import OBJECTIVES
from methods.distill.objectives.base import Draw, Tokens
from methods.distill.objectives.certainty import CertaintyForcing, CertaintySettings, block_size
from methods.distill.objectives.forcing import Forcing
from methods.distill.objectives.temporal import Temporal, TemporalSettings
from methods.distill.trajectory import Trajectory, ints
from tests.distill import tiny

TOKENS = Tokens(mask=37, eos=(38,), shift=0, max_length=48)


def orders(length: int, seed: int) -> masks.Ints:
    return np.random.default_rng(seed).permutation(length).astype(np.int64) + 1


def draw(number: int = 0, tail: int | None = None, row: int = 0, pick: int = 0, progress: float = 0.5) -> Draw:
    rng, shared = generator(0, 2, number), generator(0, 3, number)
    return Draw(tiny.trajectories()[row], pick, rng, shared, progress, tail)


@given(st.integers(1, 40), st.integers(1, 12), st.floats(0, 1), st.integers(0, 999))
def test_a_block_is_split_into_view_and_complement(length: int, block: int, ratio: float, seed: int) -> None:
    reveal = orders(length, seed)
    for choice in range(masks.choices(length, block)):
        start, end = masks.region(choice, block, length, length)
        view = masks.pseudo_trajectory(reveal, start, end, ratio)
        inside = np.zeros(length, bool)
        inside[start:end] = True
        assert start < end
        np.testing.assert_array_equal(view.masked ^ view.complement, inside)
        assert not (view.future & inside).any()
        assert view.future[end:].all()
        assert int(view.complement.sum()) == int((1 - ratio) * (end - start))


def test_phantom_block_is_gone() -> None:
    """An even length has no block behind its last one; the reference draws one in five steps from nothing here."""
    assert masks.choices(32, 8) == 4
    assert masks.choices(32, 8, compat=True) == 5
    start, end = masks.region(4, 8, 32, 32, compat=True)
    assert start == end == 32


def test_padding_region_is_gone() -> None:
    assert masks.region(2, 8, 20, 27) == (16, 20)
    assert masks.region(2, 8, 20, 27, compat=True) == (16, 27)


def test_state_index_gives_the_ratio_asked_for() -> None:
    """The teacher filled block 1 of two in the order of one 16-token block, so a global step says little of block 2."""
    reveal = np.array([9, 10, 11, 12, 13, 14, 15, 16, 1, 2, 3, 4, 5, 6, 7, 8])
    fixed = masks.pseudo_trajectory(reveal, 8, 16, 0.5)
    assert int(fixed.masked.sum()) == 4
    reference = masks.pseudo_trajectory(reveal, 8, 16, 0.5, compat=True)
    assert int(reference.masked.sum()) == 0


@pytest.mark.parametrize("end", [38, 36])  # of two end ids, whichever closes the answer
def test_eos_blocks_are_masked_like_the_others_and_not_scored(end: int) -> None:
    """Clean EOS blocks would show the bidirectional teacher where the answer ends."""
    response = ints([1, 2, 3, end] + [38] * 12)
    trajectory = replace(tiny.trajectories()[0], response=response, reveal=ints(range(1, 17)))
    tokens, prompt = replace(TOKENS, eos=(38, 36)), len(trajectory.prompt)
    settings = recipe.load("d2f", "mini").with_values({"block": 4, "noise_low": 0.7, "noise_high": 0.7}).settings
    for number in range(5):
        item = Forcing(settings, tokens).item(of(trajectory, number))
        reference = Forcing(replace(settings, compat=True), tokens).item(of(trajectory, number))
        np.testing.assert_array_equal(item["input"], reference["input"])
        hidden, behind = item["input"][prompt:] == tokens.mask, slice(prompt + 4, None)
        assert hidden[4:].any(), "at a ratio of 0.7 something of three blocks is masked"
        assert not item["masked"][behind].any()
        np.testing.assert_array_equal(item["masked"][prompt : prompt + 4], hidden[:4])
        np.testing.assert_array_equal(reference["masked"][prompt:], hidden)


@given(st.integers(1, 60), st.integers(1, 16), st.integers(0, 999))
def test_noise_never_falls_from_block_to_block(length: int, block: int, seed: int) -> None:
    response = np.arange(length)
    _, _, probability = masks.monotone_noise(response, block, np.random.default_rng(seed))
    assert (np.diff(probability) >= 0).all()
    assert 0.2 <= probability.min() <= probability.max() <= 0.7 + 1e-9


@given(st.integers(1, 40), st.integers(0, 40), st.integers(1, 20), st.integers(0, 999))
def test_near_and_distant_share_out_the_masked(length: int, step: int, delta: int, seed: int) -> None:
    reveal = orders(length, seed)
    near, distant = masks.near_distant(reveal, step, delta)
    np.testing.assert_array_equal(near ^ distant, reveal > step)
    assert int(near.sum()) == max(0, min(delta, length - step))


def test_ranks_are_an_order_with_ties_from_the_left() -> None:
    np.testing.assert_array_equal(masks.ranks(np.array([3, 0, 1, 3])), [2, 4, 1, 3])


def test_template_offset_moves_the_pattern_only_in_compat() -> None:
    """A pattern read `offset` tokens too far right is what the reference trains LLaDA with."""
    settings = CertaintySettings(compat=True, blockwise=False, ratio_start=0.5, ratio_end=0.5, template_offset=3)
    moved = CertaintyForcing(settings, TOKENS).item(draw())
    straight = CertaintyForcing(
        CertaintySettings(compat=True, blockwise=False, ratio_start=0.5, ratio_end=0.5), TOKENS
    ).item(draw())
    prompt, width = len(tiny.trajectories()[0].prompt), len(tiny.trajectories()[0].response)
    np.testing.assert_array_equal(
        moved["masked"][prompt : prompt + width - 3], straight["masked"][prompt + 3 : prompt + width]
    )


EARLY_END = Trajectory(  # EOS is committed second and fills the tail; two tokens of the answer come later
    "early",
    "gsm8k",
    prompt=ints([1, 2]),
    teacher=ints([1, 2, 3]),
    decoded=ints([1, 2, 3]),
    response=ints([11, 12, 13, 38, 38, 38, 38, 38]),
    reveal=ints([1, 3, 4, 2, 2, 2, 2, 2]),
    correct=True,
)


def of(row: Trajectory, number: int, pick: int = 0) -> Draw:
    return Draw(row, pick, generator(0, 2, number), generator(0, 3, number), 0.5)


def test_every_token_of_the_answer_is_asked_for_before_the_tail() -> None:
    """The tail is filled together with the EOS; by time alone it would stand before what is still open."""
    temporal = Temporal(TemporalSettings(delta=1), TOKENS)
    near = [temporal.item(of(EARLY_END, 0, pick))["near"][2:] for pick in range(temporal.examples(EARLY_END))]
    np.testing.assert_array_equal(np.logical_or.reduce(near), [True] * 4 + [False] * 4)
    view = masks.pseudo_trajectory(masks.content_first(EARLY_END.response, EARLY_END.reveal, (38,)), 0, 8, 0.5)
    assert not view.masked[:4].any()


def test_blocks_are_drawn_from_the_answer_and_its_eos() -> None:
    """compat pads to max_length and still draws from the answer; Dream's window is trained to its end."""
    for compat in (False, True):
        settings = CertaintySettings(blocks=(2,), ratio_start=1, ratio_end=1, compat=compat)
        starts = set()
        for number in range(60):
            item = CertaintyForcing(settings, TOKENS).item(of(EARLY_END, number))
            scored = np.flatnonzero(item["masked"] | item["masked_rev"]) - 2
            starts.add(int(scored[0]))
            assert compat or scored[-1] <= 3
        assert starts == ({0, 2, 4} if compat else {0, 2})
    dream = CertaintyForcing(CertaintySettings(blocks=(2,), ratio_start=1, ratio_end=1), replace(TOKENS, shift=1))
    assert any(dream.item(of(EARLY_END, number))["masked"][2 + 4 :].any() for number in range(60))


def test_student_never_sees_the_privileged_prompt() -> None:
    row = tiny.trajectories()[0]
    item = Temporal(TemporalSettings(delta=2), TOKENS).item(draw(pick=3))
    np.testing.assert_array_equal(item["input"][: len(row.prompt)], row.prompt)
    np.testing.assert_array_equal(item["teacher"][: len(row.teacher)], row.teacher)
    shift = len(row.teacher) - len(row.prompt)
    np.testing.assert_array_equal(item["teacher"][shift + len(row.prompt) :], item["input"][len(row.prompt) :])
    np.testing.assert_array_equal(item["teacher_distant"][shift:], item["distant"])


def test_eos_stays_readable_where_pad_is_eos() -> None:
    ids = torch.tensor([[1, 38, 2, 38, 38]])
    lengths = torch.tensor([4])
    fixed = Temporal(TemporalSettings(), TOKENS).allowed(ids, lengths)
    assert fixed.tolist() == [[True, True, True, True, False]]
    reference = Temporal(TemporalSettings(compat=True), TOKENS).allowed(ids, lengths)
    assert reference.tolist() == [[True, False, True, False, False]]


def test_block_sizes_grow_as_scheduled() -> None:
    sizes = [block_size((16, 24, 32), progress) for progress in (0, 1 / 6, 1 / 3, 0.5, 0.7, 0.99)]
    assert sizes == [16, 20, 24, 28, 32, 32]


@pytest.mark.parametrize("name", sorted(OBJECTIVES))
def test_same_draw_same_example(name: str) -> None:
    """Nothing depends on how often or in which order draws were made: the reference's randomness is unseeded."""
    kind, objective, _ = OBJECTIVES[name]
    made = objective(kind(), TOKENS)
    first, again = made.item(draw(7, tail=2)), made.item(draw(7, tail=2))
    for key, value in first.items():
        np.testing.assert_array_equal(value, again[key])


def test_block_causal_reads_no_later_block() -> None:
    allowed = attention.block_causal(torch.tensor([3]), torch.tensor([10]), 11, 4)[0]
    number = attention.blocks_of(torch.tensor([3]), 11, 4)[0]
    for query in range(10):
        for key in range(11):
            assert bool(allowed[query, key]) == (key < 10 and bool(number[key] <= number[query]))


def test_noisy_half_reads_itself_and_earlier_clean_blocks() -> None:
    width, block = 8, 4
    allowed = attention.noisy_clean(torch.tensor([2]), torch.tensor([8]), width, block)[0]
    assert allowed[5, 4:8].all()
    assert not allowed[5, :4].any()
    assert allowed[5, width : width + 4].all()
    assert not allowed[5, width + 4 :].any()
    assert not allowed[width:, :width].any()
    assert allowed[width + 5, width:].all()
    assert not allowed[width + 1, width + 4 :].any()
