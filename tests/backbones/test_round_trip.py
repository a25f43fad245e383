"""Saving in the hub's naming and loading back; the published shapes; the direction of attention."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from methods.backbones import create, load, save
from methods.backbones.build import build_model, check_direction, leak
from methods.backbones.config import model_config
from methods.backbones.memory import parameters, weight_bytes
from methods.backbones.published import entries, find
from methods.backbones.tensor_names import expected, to_hub, to_module
from methods.errors import MethodsError
from tests.backbones.tiny import ALL, DATA, GOLDEN, LLADA, LLAMA, line


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("shard_bytes", [10**9, 9000])
def test_round_trip_is_bit_exact(name: str, shard_bytes: int, tmp_path: Path) -> None:
    first = create(ALL[name], 11)
    second = load(save(first, tmp_path / "a", shard_bytes=shard_bytes))
    assert len(list((tmp_path / "a").glob("*.safetensors"))) == (1 if shard_bytes == 10**9 else pytest.approx(8, abs=7))
    want, got = first.model.state_dict(), second.model.state_dict()
    assert want.keys() == got.keys()
    assert all(torch.equal(want[key], got[key]) for key in want)
    assert second.special == first.special
    assert (second.arch, second.shift, second.causal) == (first.arch, first.shift, first.causal)
    save(second, tmp_path / "b", shard_bytes=shard_bytes)
    assert load(tmp_path / "b").fingerprint == second.fingerprint


@pytest.mark.parametrize("name", ["llada_toy", "dream_rand"])
def test_published_names_come_back_byte_for_byte(name: str, tmp_path: Path) -> None:
    source = GOLDEN / "checkpoints" / name
    save(load(source), tmp_path)
    with safe_open(source / "model.safetensors", "pt") as a, safe_open(tmp_path / "model.safetensors", "pt") as b:
        assert set(a.keys()) == set(b.keys())
        assert all(torch.equal(a.get_tensor(key), b.get_tensor(key)) for key in a.keys())  # noqa: SIM118


def test_half_precision_storage_computes_in_float32_on_the_cpu(tmp_path: Path) -> None:
    first = create(LLADA, 12)
    second = load(save(first, tmp_path, "float16"), device="cpu")
    assert second.dtype == torch.float32
    weight = first.model.lm_head.weight
    assert torch.equal(second.model.lm_head.weight, weight.half().float())
    assert load(tmp_path, dtype="bfloat16", device="cpu").dtype == torch.bfloat16


def test_the_library_opens_what_we_save(tmp_path: Path) -> None:
    from transformers import LlamaForCausalLM

    ours = create(LLAMA, 13)
    save(ours, tmp_path)
    theirs = LlamaForCausalLM.from_pretrained(tmp_path).eval()
    ids, at = line(9)
    assert torch.allclose(theirs(input_ids=ids).logits, ours.head(ours.hidden(ids, at)), atol=1e-5)


def test_we_open_what_the_library_saves(tmp_path: Path) -> None:
    ours = create(LLAMA, 14)
    ours.model.config.eos_token_id = 61
    ours.model.save_pretrained(tmp_path)
    ids, at = line(9)
    assert torch.equal(load(tmp_path).hidden(ids, at), ours.hidden(ids, at))


@pytest.mark.parametrize("name", ["llada_8b", "dream_7b"])
def test_published_tensor_names_and_shapes(name: str) -> None:
    listed = json.loads((DATA / "published" / f"{name}.json").read_text())
    want = {
        key.format(n=n): tuple(size)
        for key, size in listed["tensors"].items()
        for n in (range(listed["layers"]) if "{n}" in key else [0])
    }
    shape = model_config(entries()[name]["config"])
    with torch.device("meta"):
        model = build_model(shape)
    assert {to_hub(key, shape.arch): tuple(value.shape) for key, value in model.state_dict().items()} == want
    assert {to_module(key, shape.arch): size for key, size in want.items()} == expected(shape)


@pytest.mark.parametrize("name", sorted(entries()))
def test_published_parameter_counts(name: str) -> None:
    entry = entries()[name]
    shape = model_config(entry["config"])
    with torch.device("meta"):
        model = build_model(shape)
    assert parameters(shape) == entry["parameters"] == sum(p.numel() for p in model.parameters())
    assert weight_bytes(shape, "bfloat16") == 2 * entry["parameters"]
    assert weight_bytes(shape, "nf4") < weight_bytes(shape, "int8") < weight_bytes(shape, "bfloat16")


def test_published_is_found_by_hub_id() -> None:
    found = find("hub:GSAI-ML/LLaDA-8B-Instruct@main")
    assert found is not None
    assert (found.hidden, found.layers, found.mlp, found.vocab, found.theta) == (4096, 32, 12288, 126464, 500000.0)
    assert find("someone/else") is None


@pytest.mark.parametrize("name", ALL)
def test_the_leak_test_sees_the_direction(name: str) -> None:
    backbone = create(ALL[name], 15)
    value = leak(backbone.model, 64)
    assert value == 0 if backbone.causal else value > 1e-3


def test_a_wrong_direction_is_refused() -> None:
    backbone = create(LLADA, 16)
    backbone.model.config.is_causal = True
    for layer in backbone.model.model.layers:
        layer.self_attn.is_causal = True
    with pytest.raises(MethodsError, match="not bidirectional"):
        check_direction(backbone.model, backbone.config, "here")
