"""Bad input: a sentence that names the thing, or defined behaviour; never a silent argmax."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from methods.backbones import create, save
from methods.decoding import Request
from methods.errors import MethodsUsageError
from methods.reference import prompts_file
from methods.reference.prompts_file import decode_lines, read_lines
from methods.reference.published import reference
from tests.decoding.tiny import CONFIGS, EOS, IDS, MASK, VOCAB, backbone, method, named, run

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


@pytest.mark.parametrize("batch", [0, -1])
def test_a_batch_of_nothing(batch: int) -> None:
    with pytest.raises(MethodsUsageError, match=f"batch size is {batch}"):
        run(backbone("llada"), [Request([1], 8, method("vanilla", block_size=8))], batch)


@pytest.mark.parametrize("setting", [{"mask_id": 126336}, {"eos_id": VOCAB}])
def test_special_ids_of_another_vocabulary(setting: dict[str, int]) -> None:
    ((name, token),) = setting.items()
    with pytest.raises(MethodsUsageError, match=f"{name}={token} is outside the vocabulary of {VOCAB}"):
        run(backbone("llada"), [named("llada.vanilla", [1], gen_length=8, block_length=8, **setting)])


def test_a_nucleus_needs_a_temperature() -> None:
    with pytest.raises(MethodsUsageError, match=r"top_p=0.9 needs a temperature"):
        method("vanilla", top_p=0.9)
    method("vanilla", top_p=0.9, temperature=0.1)


def test_no_compat_where_no_reference_is_modelled() -> None:
    with pytest.raises(MethodsUsageError, match="fast_dllm_v2 has no compat"):
        method("fast_dllm_v2", "block", "compat")


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
        ("dream.tad_generate", {"alg": "origin"}, "alg is one of entropy_threshold, confidence_threshold, entropy"),
        ("dream.confidence_threshold", {"threshold": None}, "threshold is a number"),
        ("dream.fast_prefix_cache", {"threshold": None}, "threshold=none is not allowed"),
        ("dream.fast_dual_cache", {"threshold": None, "fidelity": "compat"}, "threshold=none is not allowed"),
        ("llada.fast_dual_cache", {"gen_length": 8, "block_length": 8, "steps": 1, "fidelity": "compat"}, "fail on it"),
    ],
)
def test_reference_arguments(name: str, settings: dict[str, object], words: str) -> None:
    with pytest.raises(MethodsUsageError, match=words):
        reference(name, settings)


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "[]",
        '{"id": 1}',
        '{"id": 1, "prompt_ids": [1], "decoder": "nope"}',
        '{"id": 1, "prompt_ids": [1], "decoder": "d3llm", "settings": {"arch": "nonsense"}}',
    ],
)
def test_lines_name_their_number(line: str) -> None:
    with pytest.raises(MethodsUsageError, match="Line 1"):
        read_lines([line], Path("."), "llada.vanilla")


def test_a_quota_needs_no_threshold() -> None:
    """The cache decoders read it with one algorithm only."""
    reference("dream.fast_prefix_cache", {"alg": "entropy", "threshold": None})


def test_every_folder_is_looked_for_before_the_first_is_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(create({**CONFIGS["llada"], **IDS}, 0), tmp_path / "there")
    rows = [{"id": name, "prompt_ids": [1], "checkpoint": name} for name in ("there", "gone")]
    read = read_lines(map(json.dumps, rows), tmp_path, "llada.vanilla", {"gen_length": 8, "block_length": 8})
    monkeypatch.setattr(
        prompts_file, "decode", lambda *args, **more: pytest.fail("decoded before all folders were found")
    )
    with pytest.raises(MethodsUsageError, match=r"no checkpoint folder .*gone"):
        decode_lines(read)
