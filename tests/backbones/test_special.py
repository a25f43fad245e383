"""Special ids and tokenizers come from the checkpoint's own files; a table of known vocabularies fills gaps."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from methods.backbones import create, load, save, special
from methods.backbones.tokenizer import load_tokenizer
from methods.errors import MethodsError
from tests.backbones.tiny import DREAM, LLADA, QWEN2, edit_json


def write(path: Path, value: object) -> None:
    path.write_text(json.dumps(value))


def test_the_config_wins_then_generation_then_tokenizer(tmp_path: Path) -> None:
    write(tmp_path / "generation_config.json", {"eos_token_id": [7, 8], "pad_token_id": 9})
    write(tmp_path / "tokenizer_config.json", {"added_tokens_decoder": {"5": {"content": "<|mask|>"}}})
    found = special.resolve("dream", 64, {}, tmp_path)
    assert found == special.Special(mask=5, eos=(7, 8), pad=9)
    found = special.resolve("dream", 64, {"mask_token_id": 1, "eos_token_id": 2, "pad_token_id": 3}, tmp_path)
    assert found == special.Special(mask=1, eos=(2, 7, 8), pad=3)


def test_the_end_of_turn_is_an_end(tmp_path: Path) -> None:
    tokens = [{"id": 10, "content": "<|eot_id|>"}, {"id": 11, "content": "<|mdm_mask|>"}, {"id": 12, "content": "<e>"}]
    write(tmp_path / "tokenizer.json", {"added_tokens": tokens})
    write(tmp_path / "tokenizer_config.json", {"eos_token": {"content": "<e>"}, "pad_token": "<e>"})
    assert special.resolve("llada", 64, {}, tmp_path) == special.Special(mask=11, eos=(12, 10), pad=12)


@pytest.mark.parametrize(
    ("arch", "vocab", "want"),
    [
        ("llada", 126464, special.Special(126336, (126081, 126348), 126081)),
        ("dream", 152064, special.Special(151666, (151643, 151645), 151643)),
        ("ar", 152064, special.Special(None, (151645, 151643), 151643)),
    ],
)
def test_known_vocabularies(arch: str, vocab: int, want: special.Special) -> None:
    assert special.resolve(arch, vocab, {}) == want


def test_a_causal_model_has_no_mask(tmp_path: Path) -> None:
    assert special.resolve("ar", 64, {"eos_token_id": 1, "mask_token_id": 5}).mask is None


@pytest.mark.parametrize(
    ("config", "word"), [({"eos_token_id": 1}, "mask_token_id"), ({"mask_token_id": 1}, "eos_token_id")]
)
def test_missing_ids_are_named(config: dict, word: str) -> None:
    with pytest.raises(MethodsError, match=word):
        special.resolve("llada", 64, config)


def tokenizer_folder(folder: Path) -> Path:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    letters = {letter: n for n, letter in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet())[:50])}
    inner = Tokenizer(models.BPE(vocab=letters, merges=[]))
    inner.pre_tokenizer, inner.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=inner, mask_token="<|mask|>", eos_token="<|end|>", pad_token="<|pad|>"
    )
    fast.chat_template = "{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}"
    fast.save_pretrained(str(folder))
    return folder


def test_tokenizer_and_chat_template_travel_with_the_checkpoint(tmp_path: Path) -> None:
    config = {key: value for key, value in LLADA.items() if not key.endswith("token_id")}
    save(create(LLADA, 1), tmp_path / "a")
    write(tmp_path / "a" / "config.json", config)
    tokenizer_folder(tmp_path / "a")
    first = load(tmp_path / "a")
    names = first.tokenizer
    assert first.special == special.Special(names.mask_token_id, (names.eos_token_id,), names.pad_token_id)
    assert names.convert_ids_to_tokens(first.special.mask) == "<|mask|>"
    again = load(save(first, tmp_path / "b"))
    assert again.special == first.special
    turn = [{"role": "user", "content": "!"}]
    assert again.tokenizer.apply_chat_template(turn, tokenize=False) == "[user]!"
    assert again.tokenizer('!"#')["input_ids"] == names('!"#')["input_ids"]


def test_dreams_vocab_and_merges_load_without_remote_code(tmp_path: Path) -> None:
    from tokenizers import pre_tokenizers

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {letter: n for n, letter in enumerate([*letters, "ab", "abc"])}
    write(tmp_path / "vocab.json", vocabulary)
    (tmp_path / "merges.txt").write_text("#version: 0.2\na b\nab c\n")
    write(
        tmp_path / "tokenizer_config.json",
        {
            "tokenizer_class": "DreamTokenizer",
            "auto_map": {"AutoTokenizer": ["tokenization_dream.DreamTokenizer", None]},
            "added_tokens_decoder": {"258": {"content": "<|mask|>", "special": True}},
            "mask_token": "<|mask|>",
            "eos_token": "<|mask|>",
            "pad_token": "<|mask|>",
        },
    )
    tokenizer = load_tokenizer(tmp_path)
    assert tokenizer("abc<|mask|>a")["input_ids"] == [257, 258, vocabulary["a"]]
    assert tokenizer.decode([257, 256]) == "abcab"
    assert special.resolve("dream", 300, {"eos_token_id": 2}, tmp_path).mask == 258


def test_no_tokenizer_is_none(tmp_path: Path) -> None:
    assert load(save(create(QWEN2, 1), tmp_path)).tokenizer is None


def test_saving_writes_ids_that_the_config_lacked(tmp_path: Path) -> None:
    backbone = create(DREAM, 1)
    save(backbone, tmp_path)
    edit_json(tmp_path / "config.json", mask_token_id=None)
    write(tmp_path / "tokenizer_config.json", {"added_tokens_decoder": {"59": {"content": "[MASK]"}}})
    with pytest.raises(MethodsError, match="tokenizer files"):
        load(tmp_path)  # names without a vocabulary are no tokenizer


def test_saving_keeps_every_id_that_ends(tmp_path: Path) -> None:
    """The second one came from a generation_config.json, which is not written again."""
    save(create(LLADA, 1), tmp_path / "a")
    write(tmp_path / "a" / "generation_config.json", {"eos_token_id": [61, 7]})
    first = load(tmp_path / "a")
    assert first.special.eos == (61, 7)
    again = load(save(first, tmp_path / "b"))
    assert again.special == first.special
    assert json.loads((tmp_path / "a" / "config.json").read_text())["eos_token_id"] == 61
    assert json.loads((tmp_path / "b" / "config.json").read_text())["eos_token_id"] == [61, 7]
