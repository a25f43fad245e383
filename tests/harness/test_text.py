"""Pieces of text per id, for a byte-level tokenizer that splits characters over ids."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.runner import ModelCache
from harness.runner.models import ModelKey, reader_of
from harness.text import Reader


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
