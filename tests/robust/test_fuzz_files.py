"""Mutated suites, protocols, points and prompts: valid, or one sentence, exit 1 or 2 and nothing changed on disk."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from harness import suites
from methods.errors import MethodsUsageError
from methods.reference.prompts_file import read_lines
from tasks import protocols
from tests.backbones.mutations import mutated
from tests.robust.fuzzing import EXAMPLES, content, sentence


def refused_or_valid(name: str, text: str | bytes, *arguments: str) -> None:
    """Write a damaged file and call a verb with it as its last word."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / name
        file.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8"))
        before = content(Path(folder))
        sentence(*arguments, str(file))
        assert content(Path(folder)) == before


def spoiled(data: st.DataObject, tree: Any) -> str | bytes:
    """YAML of a mutated tree, or of the whole tree with some bytes changed."""
    if data.draw(st.integers(0, 4)):
        return yaml.safe_dump(data.draw(mutated(tree)))
    raw = yaml.safe_dump(tree).encode()
    at = data.draw(st.integers(0, len(raw) - 1))
    return raw[:at] + data.draw(st.binary(max_size=4)) + raw[at + data.draw(st.integers(0, 3)) :]


@pytest.mark.parametrize("name", ["mini", "llada"])
@EXAMPLES
@given(data=st.data())
def test_suites(name: str, data: st.DataObject) -> None:
    tree = yaml.safe_load((suites.FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))
    refused_or_valid("suite.yaml", spoiled(data, tree), "validate")


@pytest.mark.parametrize("name", ["mini/gsm8k", "llada-fair/math", "mini/mbpp"])
@EXAMPLES
@given(data=st.data())
def test_protocols(name: str, data: st.DataObject) -> None:
    tree = yaml.safe_load(protocols.file_of(name).read_text(encoding="utf-8"))
    refused_or_valid("protocol.yaml", spoiled(data, tree), "validate")


@EXAMPLES
@given(data=st.data())
def test_points(data: st.DataObject) -> None:
    tree = {"all": [0.3, 0.5], "d3llm": [0.45, {"threshold": 0.4, "block_add_threshold": 0.2}]}
    words = ("sweep", "--dry-run", "--calibrate", "0", "--methods", "d3llm,tad_speed", "--tasks", "gsm8k", "--points")
    refused_or_valid("points.yaml", spoiled(data, tree), *words)


PROMPT = {"id": 1, "prompt_ids": [5, 6], "decoder": "d3llm", "settings": {"gen_length": 32}, "checkpoint": "tiny"}


@EXAMPLES
@given(data=st.data())
def test_prompts(data: st.DataObject) -> None:
    """Whatever a line of `harness decode --prompts` holds, it is read or named."""
    text = json.dumps(data.draw(mutated(PROMPT)))
    fault, line = "", None
    try:
        (line,) = read_lines([text], Path("/nowhere"))
    except MethodsUsageError as error:
        fault = str(error)
    assert not fault or fault.isprintable(), fault
    assert len(fault) < 2000
    if line is not None:
        assert line.checkpoint.is_relative_to("/nowhere")
        assert ".." not in line.checkpoint.parts
