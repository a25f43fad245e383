"""The window forward against recorded reference logits, transformers' own models, padding and caches."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from methods.backbones import create, load
from tests.backbones.tiny import ALL, DREAM, GOLDEN, LLADA, LLAMA, QWEN2, QWEN3, line, worst

TOLERANCE = 1e-5
GOLDENS = ("llada_toy", "llada_rand", "dream_toy", "dream_rand")


@pytest.fixture(scope="module")
def recorded() -> dict[str, np.ndarray]:
    return dict(np.load(GOLDEN / "forward.npz"))


@pytest.mark.parametrize("name", GOLDENS)
@pytest.mark.parametrize("case", range(4))
def test_full_forward_matches_the_reference(name: str, case: int, recorded: dict[str, np.ndarray]) -> None:
    ids = torch.from_numpy(recorded[f"{name}/full{case}/input_ids"])
    backbone = load(GOLDEN / "checkpoints" / name)
    logits = backbone.head(backbone.hidden(ids, torch.arange(ids.shape[1]).expand_as(ids)))
    assert worst(logits, torch.from_numpy(recorded[f"{name}/full{case}/logits"])) <= TOLERANCE


@pytest.mark.parametrize("name", GOLDENS)
def test_prefix_cached_forward_matches_the_reference(name: str, recorded: dict[str, np.ndarray]) -> None:
    source, ids = (torch.from_numpy(recorded[f"{name}/cached/{key}"]) for key in ("cache_source_ids", "input_ids"))
    backbone = load(GOLDEN / "checkpoints" / name)
    at = torch.arange(ids.shape[1])[None]
    store = backbone.new_store(1, ids.shape[1])
    backbone.hidden(source, at, store=store)
    logits = backbone.head(backbone.hidden(ids[:, 16:], at[:, 16:], store=store))
    assert worst(logits, torch.from_numpy(recorded[f"{name}/cached/logits"])) <= TOLERANCE


@pytest.mark.parametrize("config", [LLAMA, QWEN2, QWEN3], ids=["llama", "qwen2", "qwen3"])
def test_causal_equals_the_librarys_own_forward(config: dict) -> None:
    backbone = create(config, 3)
    ids, at = line(17, rows=3)
    want = backbone.model(input_ids=ids).logits
    assert worst(backbone.head(backbone.hidden(ids, at)), want) <= TOLERANCE
    store = backbone.new_store(3, 20)
    backbone.hidden(ids[:, :11], at[:, :11], store=store)
    steps = [backbone.hidden(ids[:, n : n + 1], at[:, n : n + 1], store=store) for n in range(11, 17)]
    assert worst(backbone.head(torch.cat(steps, dim=1)), want[:, 11:]) <= TOLERANCE


@pytest.mark.parametrize("config", [DREAM, LLADA], ids=["dream", "llada"])
def test_bidirectional_equals_the_library_with_an_open_mask(config: dict) -> None:
    backbone = create(config, 4)
    ids, at = line(13, rows=2)
    backbone.model.config.is_causal = True
    want = backbone.model(input_ids=ids, attention_mask=torch.ones(2, 1, 13, 13, dtype=torch.bool)).logits
    assert worst(backbone.head(backbone.hidden(ids, at)), want) <= TOLERANCE


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("side", ["left", "right"])
def test_padding_changes_nothing(name: str, side: str) -> None:
    backbone = create(ALL[name], 5)
    lengths, width = (4, 9, 12), 12
    ids = torch.full((3, width), 62)
    at = torch.zeros(3, width, dtype=torch.long)
    real = torch.zeros(3, width, dtype=torch.bool)
    rows = [line(n, seed=n)[0][0] for n in lengths]
    for row, (n, tokens) in enumerate(zip(lengths, rows, strict=True)):
        place = slice(width - n, width) if side == "left" else slice(0, n)
        ids[row, place], at[row, place], real[row, place] = tokens, torch.arange(n), True
    if backbone.causal and side == "left":  # a padded query needs something to read: itself
        real = real[:, None, :] | torch.eye(width, dtype=torch.bool)
    got = backbone.head(backbone.hidden(ids, at, readable=real))
    for row, (n, tokens) in enumerate(zip(lengths, rows, strict=True)):
        alone = backbone.head(backbone.hidden(tokens[None], torch.arange(n)[None]))[0]
        assert worst(got[row, width - n :] if side == "left" else got[row, :n], alone) <= TOLERANCE


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 24), st.data())
def test_any_window_over_a_fresh_store_equals_the_full_forward(length: int, data: st.DataObject) -> None:
    backbone = create(data.draw(st.sampled_from([LLADA, DREAM, QWEN2])), 6)
    spots = sorted(data.draw(st.sets(st.integers(0, length - 1), min_size=1)))
    ids, at = line(length, rows=2, seed=length)
    with torch.inference_mode():
        want = backbone.hidden(ids, at)
        store = backbone.new_store(2, length)
        backbone.hidden(ids, at, store=store)
        got = backbone.hidden(ids[:, spots], at[:, spots], store=store)
    assert worst(got, want[:, spots]) <= TOLERANCE


def test_slots_place_keys_and_readable_hides_them() -> None:
    backbone = create(LLADA, 7)
    ids, at = line(8)
    spare = torch.tensor([[5, 3, 9, 0, 7, 1, 2, 4]])
    store = backbone.new_store(1, 12)
    store.layers[0].keys.fill_(100.0)  # what is hidden may hold anything
    hidden = backbone.hidden(
        ids, at, store=store, slots=spare, readable=torch.zeros(1, 12).bool().scatter_(1, spare, True)
    )
    assert worst(hidden, backbone.hidden(ids, at)) <= TOLERANCE


def test_a_slice_of_slots_writes_what_slot_numbers_write() -> None:
    backbone = create(DREAM, 8)
    ids, at = line(6, rows=2)
    one, other = backbone.new_store(2, 10), backbone.new_store(2, 10)
    open_ = torch.zeros(2, 10, dtype=torch.bool)
    open_[:, 2:8] = True
    a = backbone.hidden(ids, at, store=one, slots=slice(2, 8), readable=open_)
    b = backbone.hidden(ids, at, store=other, slots=torch.arange(2, 8).expand(2, 6), readable=open_)
    assert torch.equal(a, b)
    assert all(torch.equal(x.keys, y.keys) for x, y in zip(one.layers, other.layers, strict=True))


def test_select_drops_and_reorders_rows() -> None:
    backbone = create(LLADA, 9)
    ids, at = line(7, rows=3)
    store = backbone.new_store(3, 7)
    want = backbone.hidden(ids, at, store=store)
    store.select([2, 0])
    assert (store.rows, store.slots) == (2, 7)
    assert store.nbytes == 2 * 2 * 2 * 4 * 7 * 8 * 4
    assert worst(backbone.hidden(ids[[2, 0], 3:5], at[[2, 0], 3:5], store=store), want[[2, 0], 3:5]) <= TOLERANCE


def test_eager_attention_gives_the_same() -> None:
    ids, at = line(9, rows=2)
    hide = torch.ones(2, 9, dtype=torch.bool)
    hide[0, 6:] = False
    for config in (LLADA, QWEN2):
        plain, eager = create(config, 1), create(config, 1, attention="eager")
        for readable in (None, hide):
            assert (
                worst(eager.hidden(ids, at, readable=readable), plain.hidden(ids, at, readable=readable)) <= TOLERANCE
            )


def test_a_causal_model_reads_nothing_behind_the_query() -> None:
    backbone = create(LLAMA, 2)
    ids, at = line(8)
    other = ids.clone()
    other[0, -1] = (ids[0, -1] + 1) % 60
    assert torch.equal(backbone.hidden(ids, at)[:, :-1], backbone.hidden(other, at)[:, :-1])
