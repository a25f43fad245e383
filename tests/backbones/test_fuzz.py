"""Mutated checkpoint files: loading succeeds or ends in one sentence, and changes nothing on disk."""

from __future__ import annotations

import json
import shutil
import struct
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from methods.backbones import create, load, save
from methods.backbones.adapters import CONFIG, WEIGHTS
from methods.distill.model_card import save_adapter
from methods.distill.tokenizer import train_tokenizer
from methods.errors import MethodsError
from tests.backbones.mutations import mutated
from tests.backbones.tiny import DREAM, LLADA

pytest.importorskip("peft")
EXAMPLES = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A LLaDA in one file and a Dream in several, each with a tokenizer, 300 ids."""
    folder = tmp_path_factory.mktemp("models")
    tokenizer = train_tokenizer(["1+1=2 the answer is 3"], vocab_size=300)
    ids = {"vocab_size": 300, "mask_token_id": 1, "eos_token_id": [0, 5], "pad_token_id": 2}
    for name, config, size in (("llada", LLADA | {"embedding_size": 300}, 10**9), ("dream", DREAM, 20_000)):
        backbone = create(config | ids, 1)
        backbone.tokenizer = tokenizer
        save(backbone, folder / name, shard_bytes=size)
    import peft

    student = peft.get_peft_model(backbone.model, peft.LoraConfig(r=2, lora_alpha=4, target_modules=["q_proj"]))
    save_adapter(student, backbone, folder / "adapter")
    (folder / "dream" / "generation_config.json").write_text(json.dumps({"eos_token_id": 0, "mask_token_id": 1}))
    (folder / "dream" / "added_tokens.json").write_text(json.dumps({"<|im_end|>": 7}))
    return folder


@contextmanager
def copied(model: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        yield Path(shutil.copytree(model, Path(folder) / "model"))


def content(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def loads_or_says_why(folder: Path, adapter: Path | None = None) -> bool:
    """Whether it loads. Anything but a sentence fails the test."""
    before = content(folder)
    try:
        load(folder, device="cpu", adapter=adapter)
        good = True
    except MethodsError as error:
        text = str(error)
        assert text.isprintable(), text
        assert len(text) < 1000
        good = False
    assert content(folder) == before
    return good


def test_what_is_mutated_loads_unmutated(models: Path) -> None:
    for name in ("llada", "dream"):
        with copied(models / name) as folder:
            assert loads_or_says_why(folder)


FILES = [
    ("llada", "config.json"),
    ("dream", "config.json"),
    ("dream", "model.safetensors.index.json"),
    ("dream", "generation_config.json"),
    ("dream", "added_tokens.json"),
    ("llada", "tokenizer_config.json"),
    ("llada", "tokenizer.json"),
]


@pytest.mark.parametrize(("name", "file"), FILES, ids=["-".join(pair) for pair in FILES])
@EXAMPLES
@given(st.data())
def test_a_mutated_json_file(models: Path, name: str, file: str, data: st.DataObject) -> None:
    tree = json.loads((models / name / file).read_text())
    with copied(models / name) as folder:
        (folder / file).write_text(json.dumps(data.draw(mutated(tree))))
        loads_or_says_why(folder)


@EXAMPLES
@given(st.data())
def test_a_mutated_safetensors_header(models: Path, data: st.DataObject) -> None:
    raw = (models / "llada" / "model.safetensors").read_bytes()
    length = struct.unpack("<Q", raw[:8])[0]
    tree = json.loads(raw[8 : 8 + length])
    with copied(models / "llada") as folder:
        text = json.dumps(data.draw(mutated(tree))).encode()
        (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + raw[8 + length :])
        loads_or_says_why(folder)


@EXAMPLES
@given(st.data())
def test_a_mutated_adapter(models: Path, data: st.DataObject) -> None:
    raw = (models / "adapter" / WEIGHTS).read_bytes()
    length = struct.unpack("<Q", raw[:8])[0]
    with copied(models / "adapter") as folder:
        if data.draw(st.booleans()):
            tree = json.loads((folder / CONFIG).read_text())
            (folder / CONFIG).write_text(json.dumps(data.draw(mutated(tree))))
        else:
            text = json.dumps(data.draw(mutated(json.loads(raw[8 : 8 + length])))).encode()
            (folder / WEIGHTS).write_bytes(struct.pack("<Q", len(text)) + text + raw[8 + length :])
        loads_or_says_why(models / "dream", folder)


@pytest.mark.parametrize("file", ["model.safetensors", "config.json", "tokenizer.json"])
@EXAMPLES
@given(st.data())
def test_damaged_bytes(models: Path, file: str, data: st.DataObject) -> None:
    raw = bytearray((models / "llada" / file).read_bytes())
    near = data.draw(st.integers(0, min(len(raw) - 1, 400)))
    cut = data.draw(st.sampled_from([None, near, len(raw) - near]))
    raw[near : near + data.draw(st.integers(0, 9))] = data.draw(st.binary(max_size=9))
    with copied(models / "llada") as folder:
        (folder / file).write_bytes(bytes(raw[:cut]))
        loads_or_says_why(folder)
