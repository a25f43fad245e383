"""Bad input: a sentence that names the thing, or defined behaviour; never a silent argmax."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from methods.decoding import Request
from methods.decoding.lines import read_lines
from methods.decoding.reference import reference
from methods.errors import MethodsError, MethodsUsageError
from tests.decoding.tiny import EOS, MASK, backbone, method, run

BAD = [
    (Request([1], 20, method("d3llm", block_size=8)), "block_size=8 does not divide"),
    (Request([1], 512, method("vanilla")), "exceed the context of 128"),
    (Request([1], 0, method("vanilla")), "generation length is 0"),
    (Request([999], 8, method("vanilla", block_size=8)), "outside the vocabulary"),
    (Request([1], 8, method("ar")), "autoregressive"),
]


@pytest.mark.parametrize(("request_", "words"), BAD, ids=[words for _, words in BAD])
def test_refused_before_the_first_forward(request_: Request, words: str) -> None:
    with pytest.raises(MethodsUsageError, match=words):
        run(backbone("llada"), [request_])


def test_an_empty_prompt() -> None:
    (result,) = run(backbone("llada"), [Request([], 8, method("vanilla", block_size=8))])
    assert len(result.output_ids) == 8
    with pytest.raises(MethodsUsageError, match="prompt is empty"):
        run(backbone("dream"), [Request([], 8, method("vanilla", "dream", block_size=8))])


def test_mask_and_eos_in_the_prompt_are_prompt() -> None:
    decoder = method("d3llm", block_size=8, early_stop=True)
    (result,) = run(backbone("llada"), [Request([MASK, EOS, 3], 8, decoder)])
    assert len(result.output_ids) == 8
    assert MASK not in result.output_ids


def test_nan_logits_name_request_and_forward(monkeypatch: pytest.MonkeyPatch) -> None:
    model = backbone("llada")
    head, calls = model.head, []

    def broken(hidden: torch.Tensor) -> torch.Tensor:
        calls.append(1)
        return head(hidden) * (torch.nan if len(calls) == 3 else 1)

    monkeypatch.setattr(model, "head", broken)
    with pytest.raises(MethodsError, match="Request 0: the logits of forward 3 are not a number"):
        run(model, [Request([1, 2], 8, method("vanilla", block_size=8))])


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"threshold": -1.0}, "threshold=-1.0"),
        ({"block_add_threshold": 2}, "from 0 to 1"),
        ({"treshold": 1}, "threshold"),
    ],
)
def test_settings_out_of_range(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(MethodsUsageError, match=words):
        method("d3llm", **settings)


@pytest.mark.parametrize(
    ("name", "settings", "words"),
    [
        ("llada.multi_blok", {}, "llada.multi_block"),
        ("llada.vanilla", {"gen_length": 32, "block_length": 12}, "does not divide"),
        ("llada.vanilla", {"gen_length": 32, "block_length": 8, "steps": 6}, "not a multiple"),
        ("llada.fast_dual_cache", {"gen_length": 8, "block_length": 8, "steps": 1, "fidelity": "compat"}, "fail on it"),
    ],
)
def test_reference_arguments(name: str, settings: dict[str, object], words: str) -> None:
    with pytest.raises(MethodsUsageError, match=words):
        reference(name, settings)


@pytest.mark.parametrize("line", ["{", "[]", '{"id": 1}', '{"id": 1, "prompt_ids": [1], "decoder": "nope"}'])
def test_lines_name_their_number(line: str, tmp_path: object) -> None:
    from pathlib import Path

    with pytest.raises(MethodsUsageError, match="Line 1"):
        read_lines([line], Path("."), "llada.vanilla")
