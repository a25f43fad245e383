"""What can be wrong with a checkpoint: one sentence with file and tensor, and nothing half-loaded."""

from __future__ import annotations

import json
import re
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from methods.backbones import create, files, load, memory, save
from methods.errors import MethodsError, MethodsUsageError
from tests.backbones.tiny import A2D, DREAM, LLADA, LLAMA, edit_json

WEIGHTS = "model.safetensors"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return save(create(LLADA, 1), tmp_path / "llada")


def rewrite(folder: Path, **changes: torch.Tensor | None) -> None:
    state = load_file(folder / WEIGHTS)
    for name, value in changes.items():
        state.pop(name, None)
        if value is not None:
            state[name] = value
    save_file(state, folder / WEIGHTS)


def refused(source: object, *words: str, **options: object) -> str:
    with pytest.raises(MethodsError) as caught:
        load(source, **options)  # type: ignore[arg-type]
    text = str(caught.value)
    assert "\n" not in text
    for word in words:
        assert word in text
    return text


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"model_type": "gpt2"}, ["model_type 'gpt2'", "llada"]),
        ({"model_type": None}, ["LLaDAModelLM"]),
        ({"n_layers": None}, ["n_layers"]),
        ({"alibi": True}, ["alibi"]),
        ({"include_qkv_bias": True}, ["include_qkv_bias"]),
        ({"layer_norm_type": "default"}, ["layer_norm_type"]),
        ({"mask_token_id": None}, ["mask_token_id"]),
        ({"mask_token_id": 64}, ["mask_token_id 64", "64 rows"]),
        ({"mlp_hidden_size": 40}, ["ff_out.weight", "[32, 48]", "[32, 40]"]),
        ({"n_layers": 10**8}, ["n_layers=100000000", "from 1 to 10000"]),
        ({"n_layers": 9999}, ["89973 tensors are missing", "model.layers.2."]),
        ({"d_model": 2**28}, ["config.json asks for"]),
        ({"n_layers": "two"}, ["n_layers='two'", "whole number"]),
        ({"n_layers": 2.0}, ["n_layers=2.0"]),
        ({"n_heads": 0}, ["n_heads=0"]),
        ({"n_heads": True}, ["n_heads=True"]),
        ({"n_kv_heads": 3}, ["4 attention heads cannot share 3"]),
        ({"n_heads": 32, "n_kv_heads": 32}, ["a head of 1 channels"]),
        ({"vocab_size": [64], "embedding_size": 0}, ["vocab_size=[64]"]),
        ({"rms_norm_eps": float("nan")}, ["rms_norm_eps=nan"]),
        ({"rope_theta": -1}, ["rope_theta=-1"]),
        ({"weight_tying": "no"}, ["weight_tying='no'", "true or false"]),
        ({"mask_token_id": "60"}, ["mask_token_id '60' is no token id"]),
        ({"eos_token_id": [61, None]}, ["eos_token_id None is no token id"]),
        ({"pad_token_id": True}, ["pad_token_id True is no token id"]),
        ({"n_layers": 3}, ["9 tensors are missing", "model.layers.2."]),
        ({"n_layers": 1}, ["blocks.1."]),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_a_config_that_does_not_fit(changes: dict, words: list[str], folder: Path) -> None:
    edit_json(folder / "config.json", **changes)
    began = time.monotonic()
    refused(folder, "config.json" if "missing" not in words[0] and "blocks" not in words[0] else "", *words)
    assert time.monotonic() - began < 10, "10^8 layers once took 90 s"


def test_a_missing_tensor(folder: Path) -> None:
    rewrite(folder, **{"model.transformer.blocks.1.attn_out.weight": None})
    refused(folder, "1 tensors are missing", "model.layers.1.self_attn.o_proj.weight")


def test_a_wrong_shape(folder: Path) -> None:
    rewrite(folder, **{"model.transformer.blocks.0.ff_proj.weight": torch.zeros(48, 31)})
    refused(folder, WEIGHTS, "blocks.0.ff_proj.weight", "[48, 31]", "[48, 32]")


def test_a_foreign_tensor(folder: Path) -> None:
    rewrite(folder, **{"model.transformer.blocks.0.q_proj.bias": torch.zeros(32)})
    refused(folder, WEIGHTS, "blocks.0.q_proj.bias")


def test_nan_weights(folder: Path) -> None:
    rewrite(folder, **{"model.transformer.ln_f.weight": torch.full((32,), float("nan"))})
    refused(folder, "NaN")


@pytest.mark.parametrize("keep", [0, 4, 200, -1])
def test_a_truncated_file(keep: int, folder: Path) -> None:
    data = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes(data[:keep])
    refused(folder, WEIGHTS, "truncated", "download it again")


def test_a_damaged_header(folder: Path) -> None:
    data = bytearray((folder / WEIGHTS).read_bytes())
    data[8] = 0
    (folder / WEIGHTS).write_bytes(bytes(data))
    refused(folder, WEIGHTS, "header is damaged")


def edit_header(path: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """Rewrite the header of a safetensors file by what `change` returns, or leaves in place when it returns None."""
    data = path.read_bytes()
    length = struct.unpack("<Q", data[:8])[0]
    entries = json.loads(data[8 : 8 + length])
    made = change(entries)
    text = json.dumps(entries if made is None else made).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data[8 + length :])


NORM = "model.transformer.ln_f.weight"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda e: [1, 2], ["header is no table"]),
        (lambda e: e.update({NORM: 3}), [NORM, "not a table"]),
        (lambda e: e[NORM].pop("data_offsets"), [NORM, "data_offsets None"]),
        (lambda e: e[NORM].update(data_offsets=[-4, 124]), [NORM, "data_offsets [-4, 124]"]),
        (lambda e: e[NORM].update(data_offsets=[128, 0]), [NORM, "the first before the second"]),
        (lambda e: e[NORM].update(data_offsets=[0, 128]), ["overlaps the one before"]),
        (lambda e: e[NORM].update(data_offsets=[10**9, 10**9 + 128]), ["leaves a gap"]),
        (lambda e: e[NORM].update(dtype="F33"), [NORM, "dtype 'F33'"]),
        (lambda e: e[NORM].update(shape=[32.0]), [NORM, "shape [32.0]"]),
        (lambda e: e[NORM].update(shape=[31]), [NORM, "128 bytes for shape [31] of F32"]),
        (lambda e: e[NORM].update(dtype="I32"), [NORM, "stored as I32", "F32"]),
    ],
)
def test_a_header_that_lies(change: Callable[[dict[str, Any]], Any], words: list[str], folder: Path) -> None:
    def applied(entries: dict[str, Any]) -> Any:
        made = change(entries)
        return made if isinstance(made, list) and made == [1, 2] else None

    edit_header(folder / WEIGHTS, applied)
    refused(folder, WEIGHTS, *words)


def test_whole_numbers_are_no_weights(folder: Path) -> None:
    rewrite(folder, **{NORM: torch.ones(32, dtype=torch.int64)})
    refused(folder, WEIGHTS, NORM, "stored as I64")


def test_a_shard_index_stays_in_its_folder(tmp_path: Path) -> None:
    place = save(create(DREAM, 1), tmp_path / "model", shard_bytes=9000)
    index = json.loads((place / files.INDEX).read_text())
    (tmp_path / "outside").mkdir()
    first = sorted(set(index["weight_map"].values()))[0]
    (place / first).rename(tmp_path / "outside" / first)
    for name in (f"../outside/{first}", str(tmp_path / "outside" / first), 7, "config.json"):
        moved = {tensor: name if file == first else file for tensor, file in index["weight_map"].items()}
        (place / files.INDEX).write_text(json.dumps({"weight_map": moved}))
        refused(place, files.INDEX, repr(name)[:40], "not the name of a safetensors file in this folder")
    for table in ([], {}, "all"):
        (place / files.INDEX).write_text(json.dumps({"weight_map": table}))
        refused(place, files.INDEX, "weight_map")
    (place / first).symlink_to(tmp_path / "outside" / first)  # as the hub's cache does
    (place / files.INDEX).write_text(json.dumps(index))
    assert load(place).arch == "dream"


def test_a_tensor_in_two_files(tmp_path: Path) -> None:
    place = save(create(DREAM, 1), tmp_path, shard_bytes=9000)
    one, two = sorted(place.glob("model-*.safetensors"))[:2]
    save_file(load_file(one) | load_file(two), two)
    refused(place, two.name, "is in", one.name)


def test_weights_are_as_readable_as_their_config(folder: Path) -> None:
    """safetensors writes files of mode 0600: nobody else in a group could load them."""
    assert (folder / WEIGHTS).stat().st_mode == (folder / "config.json").stat().st_mode


def test_a_missing_shard(tmp_path: Path) -> None:
    save(create(DREAM, 1), tmp_path, shard_bytes=9000)
    gone = sorted(tmp_path.glob("model-*.safetensors"))[2]
    gone.unlink()
    refused(tmp_path, gone.name, files.INDEX)


def test_no_weights_no_config_no_folder(tmp_path: Path) -> None:
    refused(tmp_path, "config.json")
    (tmp_path / "config.json").write_text(json.dumps(LLAMA))
    refused(tmp_path, WEIGHTS)
    (tmp_path / "config.json").write_text("{not json")
    refused(tmp_path, "config.json", "not valid JSON")
    refused(tmp_path / "nowhere", "no folder", "org/name" if False else "hub id")


def test_a_model_that_does_not_fit_in_memory(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "free_bytes", lambda device="cpu": 1000)
    refused(folder, str(folder), "GB", "--dtype bfloat16")


@pytest.mark.parametrize(("option", "value"), [("dtype", "float8"), ("device", "gpu"), ("attention", "fast")])
def test_unknown_names_give_the_list(option: str, value: str, folder: Path) -> None:
    with pytest.raises(MethodsUsageError, match=f"Unknown {option} '{value}'.*Known: "):
        load(folder, **{option: value})


def test_cuda_without_cuda(folder: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has CUDA")
    refused(folder, "--device cpu", device="cuda")


def test_a_tokenizer_of_another_model(folder: Path) -> None:
    vocabulary = {f"t{n}": n for n in range(70)}
    write_tokenizer(folder, vocabulary)
    refused(folder, str(folder), "ids up to 69", "64 rows")
    (folder / "tokenizer.json").write_text("{}")
    refused(folder, "tokenizer files", str(folder))


def write_tokenizer(folder: Path, vocabulary: dict[str, int]) -> None:
    from tokenizers import Tokenizer, models

    Tokenizer(models.WordLevel(vocabulary, unk_token="t0")).save(str(folder / "tokenizer.json"))


def test_a_tied_head_needs_no_tensor(tmp_path: Path) -> None:
    folder = save(create(A2D, 1), tmp_path)
    assert "lm_head.weight" not in load_file(folder / WEIGHTS)
    backbone = load(folder)
    assert backbone.model.lm_head.weight.data_ptr() == backbone.model.model.embed_tokens.weight.data_ptr()


def test_the_fingerprint_is_of_the_content(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    first = files.fingerprint(folder)
    assert re.fullmatch(r"[0-9a-f]{16}", first)
    assert load(folder).fingerprint == first
    rewrite(folder, **{"model.transformer.ln_f.weight": torch.full((32,), 1.5)})
    assert files.fingerprint(folder) != first


def test_hashes_of_large_files_are_remembered(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    path = folder / WEIGHTS
    first = files.file_hash(path, remember_above=0)
    note = next((tmp_path / "cache/dllm-harness/hashes").iterdir())
    note.write_text("0" * 64)
    assert files.file_hash(path, remember_above=0) == "0" * 64  # answered from the note
    path.write_bytes(path.read_bytes() + b"x")
    assert files.file_hash(path, remember_above=0) not in (first, "0" * 64)  # another size: read again
