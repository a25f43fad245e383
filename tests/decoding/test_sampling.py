"""Sampling: the noise has its distribution and depends on what it should alone; temperature and nucleus by row."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest
import torch

from methods.decoding import Request, Score, Shape, begin, gumbel
from methods.decoding.scores import _tempered
from tests.decoding.tiny import EOS, MASK, VOCAB, method


def at(seed: int, step: int, pos: int, vocab: int = 64) -> torch.Tensor:
    return gumbel(torch.tensor([seed]), torch.tensor([step]), torch.tensor([pos]), vocab)[0]


def test_the_noise_is_standard_gumbel() -> None:
    drawn = gumbel(torch.zeros(200, dtype=torch.long), torch.arange(200), torch.arange(200) % 7, 500)
    assert drawn.dtype == torch.float64
    assert drawn.isfinite().all()
    assert float(drawn.mean()) == pytest.approx(0.5772, abs=0.02)
    assert float(drawn.var()) == pytest.approx(math.pi**2 / 6, abs=0.05)
    assert len(drawn.unique()) == drawn.numel()


def test_the_noise_depends_on_seed_forward_position_and_token_alone() -> None:
    base = at(3, 5, 7)
    assert torch.equal(base, at(3, 5, 7, 128)[:64])
    assert torch.equal(base, gumbel(torch.tensor([0, 3]), torch.tensor([1, 5]), torch.tensor([2, 7]), 64)[1])
    for other in (at(4, 5, 7), at(3, 6, 7), at(3, 5, 8), at(5, 3, 7), at(3, 7, 5)):
        assert not torch.isclose(base, other).any()


def test_a_seed_means_the_same_in_every_version() -> None:
    """Recorded here on 2026-11-22: a run of an old seed must be repeatable."""
    wanted = [[0.3062125460355417, 0.23454152653683186], [-0.19865872758041775, 1.103372924308034]]
    drawn = gumbel(torch.tensor([0, 7]), torch.tensor([1, 2]), torch.tensor([2, 30]), 2)
    assert torch.allclose(drawn, torch.tensor(wanted, dtype=torch.float64), rtol=0, atol=1e-12)


def test_temperature_and_nucleus_of_each_row() -> None:
    logits = torch.log(torch.tensor([[0.3, 0.5, 0.05, 0.15]] * 3))
    heat = torch.tensor([0.0, 0.5, 1.0])
    state = SimpleNamespace(values={"temperature": heat})
    assert torch.allclose(_tempered(logits, state, torch.tensor([0, 1, 2])), logits * torch.tensor([[1], [2], [1]]))
    state.values["top_p"] = torch.tensor([1.0, 1.0, 0.7])
    kept = _tempered(logits, state, torch.tensor([2, 0, 2])) > -1e30
    assert kept.tolist() == [[True, True, False, False], [True] * 4, [True, True, False, False]]
    state.values["top_p"] = torch.tensor([0.0, 0.0, 0.0])
    assert (_tempered(logits, state, torch.arange(3)) > -1e30).sum(1).tolist() == [1, 1, 1], "the best one always stays"


def test_a_nucleus_that_holds_the_mask_alone() -> None:
    """The mask is drawn by nobody: the nucleus is taken of the tokens, not of it, and id 0 is no way out."""
    shape = Shape(4, MASK, torch.tensor([EOS]), 0, torch.device("cpu"), vocab=VOCAB, mask_id=MASK)
    decoder = method("vanilla", "llada", temperature=0.1, top_p=0.5, block_size=2)
    state = begin(decoder, shape, [Request([1, 2], 2, decoder, seed=3)])
    logits = torch.zeros(2, VOCAB)
    logits[:, MASK], logits[:, 7] = 9.0, 5.0
    tokens, cost = Score("probability")(logits, state, torch.tensor([0, 0]), torch.tensor([2, 3]))
    assert tokens.tolist() == [7, 7]
    assert torch.allclose(-cost, torch.softmax(logits, -1)[:, 7].double()), "the score is the model's own"
