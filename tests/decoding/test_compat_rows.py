"""Compat by method rows gives what the references give by their own names, on checkpoints that show the difference.

Two end ids (an EOS and an end of turn, as LLaDA-8B-Instruct and Dream-v0-Instruct-7B have) and more than 50 tokens.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import pytest
import torch

from methods.backbones import create
from methods.decoding import Request, Result
from methods.reference.blocks import TokenizerFillTail
from tests.decoding.tiny import CONFIGS, method, named, run, same

TURN, EOS, VOCAB = 47, 48, 160
SPECIAL = {"vocab_size": VOCAB, "mask_token_id": 159, "eos_token_id": [EOS, TURN], "pad_token_id": 158}
PROMPTS = [[1, 2, 3], [9, 4], [7, 7, 1, 30, 12], [21]]
LENGTH, BLOCK = 32, 8
SHARES = {"block_add_threshold": 0.5, "decoded_token_threshold": 0.5}
PIPE = {"block_size": BLOCK, "threshold": 0.8, **SHARES}
# method -> its settings, the published decoder and its settings for the same
STOPS: dict[str, tuple[dict[str, Any], str, dict[str, Any]]] = {
    "d3llm": (PIPE, "multi_block", PIPE),
    "multi_block_d3llm": (PIPE, "multi_block", PIPE),
    "d3llm_cache": ({**PIPE, "cache_delay": 2}, "multi_block_kv", {**PIPE, "cache_delay_iter": 2}),
    "tad_speed": (PIPE, "tad_multi_block", PIPE),
}


@cache
def model(arch: str, seed: int, bias: float = 3.0) -> Any:
    """A random model with two end ids that prefers to end its turn."""
    config = {**CONFIGS[arch], **SPECIAL}
    if arch == "llada":
        config["embedding_size"] = VOCAB
    made = create(config, seed)
    with torch.no_grad():
        made.model.lm_head.weight.mul_(9.0)
    head = made.head

    def likes(state: torch.Tensor) -> torch.Tensor:
        logits = head(state)
        logits[:, TURN] += bias
        logits[:, EOS] += bias - 1
        return logits

    made.head = likes
    assert made.special.eos == (EOS, TURN)
    return made


def row(name: str, arch: str, seed: int, fidelity: str = "compat", **settings: Any) -> list[Result]:
    requests = [Request(prompt, LENGTH, method(name, arch, fidelity, **settings)) for prompt in PROMPTS]
    return run(model(arch, seed), requests)


def decoded_alike(left: Result, right: Result) -> bool:
    """Equal but for what is said of an end of turn, which a reference that was given one EOS id does not know."""
    return same(left, replace(right, stop_reason=left.stop_reason))


def reference(name: str, arch: str, seed: int, **settings: Any) -> list[Result]:
    made = [named(f"{arch}.{name}", prompt, "compat", max_new_tokens=LENGTH, **settings) for prompt in PROMPTS]
    return run(model(arch, seed), made)


@pytest.mark.parametrize("arch", ["llada", "dream"])
@pytest.mark.parametrize("name", STOPS)
def test_the_published_early_stop_knows_the_tokenizers_eos_alone(name: str, arch: str) -> None:
    settings, published, theirs = STOPS[name]
    turns = 0
    for seed in range(3):
        mine = row(name, arch, seed, early_stop=True, **settings)
        wanted = reference(published, arch, seed, early_stop=True, eos_id=EOS, **theirs)
        assert all(map(decoded_alike, mine, wanted))
        repaired = row(name, arch, seed, "fixed", early_stop=True, **settings)
        turns += sum(found.output_ids != other.output_ids for found, other in zip(mine, repaired, strict=True))
        for found in repaired:
            ends = [at for at, token in enumerate(found.output_ids) if token in (EOS, TURN)]
            assert set(found.output_ids[ends[0] + 1 :]) <= {EOS}
    assert turns, "an end of turn ends nothing in the reference and everything in the repair"


@pytest.mark.parametrize("arch", ["llada", "dream"])
def test_d2f_appends_blocks_until_the_first_eos_id(arch: str) -> None:
    settings = {"block_size": BLOCK, "threshold": 0.9, "block_add_threshold": 0.1, "decoded_token_threshold": 0.5}
    longer = 0
    for seed in range(3):
        mine, repaired = (row("d2f", arch, seed, fidelity, **settings) for fidelity in ("compat", "fixed"))
        for found, other in zip(mine, repaired, strict=True):
            grown = found.output_ids
            assert len(grown) == LENGTH or EOS in grown
            assert len(other.output_ids) == LENGTH or {EOS, TURN} & set(other.output_ids)
            longer += len(grown) > len(other.output_ids)
    assert longer


def test_an_early_stop_on_a_published_decoder_without_one_knows_the_same_eos() -> None:
    for name in ("vanilla", "fast_dllm_dual", "dparallel", "fast_dllm_factor", "d2f"):
        assert isinstance(method(name, "llada", "compat", early_stop=True).stop, TokenizerFillTail)
        for found in row(name, "llada", 0, early_stop=True, block_size=BLOCK):
            if EOS in found.output_ids:
                assert set(found.output_ids[found.output_ids.index(EOS) :]) == {EOS}


# method -> its settings on Dream, the published decoder and its settings for the same
SCORED: dict[str, tuple[dict[str, Any], str, dict[str, Any]]] = {
    "vanilla": ({"block_size": None, "score": "entropy"}, "vanilla", {"alg": "entropy", "steps": LENGTH}),
    "fast_dllm_prefix": (
        {"block_size": BLOCK, "threshold": 0.6},
        "fast_prefix_cache",
        {"block_length": BLOCK, "threshold": 0.6, "alg": "confidence_threshold"},
    ),
    "fast_dllm_dual": (
        {"block_size": BLOCK, "threshold": 0.6},
        "fast_dual_cache",
        {"block_length": BLOCK, "threshold": 0.6, "alg": "confidence_threshold"},
    ),
}


@pytest.mark.parametrize("name", SCORED)
def test_dreams_rows_score_all_tokens_as_the_evaluators_do(name: str) -> None:
    settings, published, theirs = SCORED[name]
    cut = 0
    for seed in range(4):
        mine = row(name, "dream", seed, **settings)
        assert all(map(same, mine, reference(published, "dream", seed, top_k=None, **theirs)))
        default = reference(published, "dream", seed, **theirs)
        cut += sum(not same(found, other) for found, other in zip(mine, default, strict=True))
    assert cut, "the default of the reference's own name, 50 tokens, gives other decodes"
