"""Pieces of text per id, for a byte-level tokenizer that splits characters over ids."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.runner import ModelCache
from harness.runner.models import ModelKey, reader_of
from harness.text import Reader


class Letters:
    """A tokenizer of the tests: a letter an id, BOS 0 in front, EOS 1, mask 2; joined, its text loses a space."""

    all_special_ids = (0, 1, 2)
    names = ("<S>", "<E>", "<M>")

    def encode(self, text: str, add_special_tokens: bool = True) -> list[int]:
        return [0] * add_special_tokens + [ord(letter) for letter in text]

    def decode(
        self, ids: list[int], skip_special_tokens: bool = True, clean_up_tokenization_spaces: bool = True
    ) -> str:
        text = "".join(chr(i) if i > 2 else "" if skip_special_tokens else self.names[i] for i in ids)
        return text.replace(" .", ".") if clean_up_tokenization_spaces else text


def letters(arch: str = "llada") -> Reader:
    return Reader(Letters(), SimpleNamespace(eos=(1,), mask=2), arch)


@pytest.fixture(scope="module")
def reader(suite: str, models: ModelCache) -> Reader:
    source = suite.replace("mini.yaml", "checkpoint")
    return reader_of(models.get(ModelKey(source, None, "cpu", "float32")), source)


@pytest.mark.parametrize("text", ["plain text 12", "é ü 🙂🙂 中文", "\n\t  x", "", "ab🙂"])
def test_pieces_join_to_the_text(reader: Reader, text: str) -> None:
    ids = reader.encode(text)
    pieces = reader.pieces(ids)
    assert len(pieces) == len(ids)
    assert "".join(pieces) == text


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(0, 299), max_size=24))
def test_pieces_of_any_ids_join_to_what_they_decode_to(reader: Reader, ids: list[int]) -> None:
    assert "".join(reader.pieces(ids)) == reader.decode(ids)


def test_a_split_character_belongs_to_its_last_id(reader: Reader) -> None:
    ids = reader.encode("a🙂b")
    pieces = reader.pieces(ids)
    assert [piece for piece in pieces if piece] == ["a", "🙂", "b"]


def test_the_reader_keeps_what_comes_before_the_eos(reader: Reader) -> None:
    eos = reader.special.eos[0]
    ids = [*reader.encode("one 1\nQuestion: 2"), eos, *reader.encode("more")]
    kept = reader.keep(ids, reader.pieces(ids), ["\nQuestion:"])
    assert kept.text == "one 1"
    assert kept.tokens == len(reader.encode("one 1"))
    assert set(reader.compat("gsm8k", ids, ["\nQuestion:"])) == {"d3llm", "tad"}


def test_special_ids_are_written_and_read_as_asked() -> None:
    reader = letters()
    assert reader.encode("a") == [0, ord("a")]
    assert reader.encode("a", special=False) == [ord("a")]
    assert reader.decode([0, *b"a .", 1]) == "<S>a .<E>", "no clean-up of spaces"
    assert reader.decode([0, *b"a .", 1], skip_special=True) == "a ."


def test_what_is_kept_knows_special_ids_masks_and_the_policy() -> None:
    reader, ids = letters(), [0, *b"ab", 2, 1, *b"cd"]
    pieces = reader.pieces(ids)
    assert pieces == ["<S>", "a", "b", "<M>", "<E>", "c", "d"]
    assert reader.keep(ids, pieces, []) == (3, "ab")
    assert reader.keep(ids, pieces, [], "strip") == (3, "abcd")
    assert reader.keep(ids, pieces, ["b"]) == (2, "a")


@pytest.mark.parametrize("arch", ["ar", "block"])
def test_no_reference_rule_counts_an_autoregressive_model(arch: str) -> None:
    assert letters(arch).compat("gsm8k", [*b"ab"], []) == {}


def test_each_rule_counts_with_its_own_arguments() -> None:
    ids = [*b"ab", 1, *b"c;d"]
    # tokenised again: BOS, the letters of "ab<E>c" (the tokenizer of the tests knows no special text)
    assert letters().compat("gsm8k", ids, [";"]) == {"d3llm": 1 + 2 + 3 + 1, "tad": 1 + 2 + 3 + 1}
    assert letters().compat("humaneval", ids, [";"]) == {"d3llm": 1 + 5, "tad": 1 + 5}
    assert letters("dream").compat("gsm8k", [*b"a;b", 1], [";"]) == {"d3llm": 2, "tad": 4}


class Split:
    """A tokenizer of the tests whose second id ends in the middle of a character."""

    all_special_ids = ()
    parts = (b"x", b"a\xf0", b"\x9f\x99\x82", b"\xf0")

    def decode(self, ids: list[int], **_: bool) -> str:
        return b"".join(self.parts[i] for i in ids).decode("utf-8", "replace")


def test_whole_characters_before_a_split_one_stay_with_their_id() -> None:
    reader = Reader(Split(), SimpleNamespace(eos=(), mask=None), "llada")
    assert reader.pieces([0, 1, 2, 0]) == ["x", "a", "🙂", "x"]
    assert reader.pieces([1, 2, 3]) == ["a", "🙂", "\ufffd"], "a character that never ends is in the last piece"
