"""The door for method authors: what it exports, policies that do not fit, memory that `start` does not make."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch

import methods.decoding as door
from methods import registry
from methods.decoding import (
    BlockCache,
    BlockCausal,
    Causal,
    CommitRule,
    Decoder,
    Delayed,
    Growing,
    Ignore,
    MultiBlock,
    NoCache,
    OneByOne,
    PerBlock,
    Plan,
    Quota,
    Request,
    Score,
    Scorer,
    Sequential,
    State,
    Threshold,
    V2Cache,
    gumbel,
)
from methods.errors import MethodsError, MethodsUsageError
from methods.method import Method
from tests.decoding.tiny import backbone, run, same

ROOT = Path(__file__).parents[2]
VALUES = {"threshold": 0.5, "block_size": 4, "block_add_threshold": 0.5, "decoded_token_threshold": 0.5}


def decoder(**changes: Any) -> Decoder:
    """Blocks in turn by an entropy threshold, with changes."""
    parts: dict[str, Any] = {"blocks": Sequential(), "cache": NoCache(), "commit": Threshold(), "stop": Ignore()}
    return Decoder(**{**parts, "score": Score("entropy"), "values": VALUES, **changes})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"blocks": MultiBlock(), "cache": BlockCache(dual=True)},
            "BlockCache does not work with MultiBlock: .*'step'",
        ),
        ({"blocks": MultiBlock(), "cache": BlockCausal()}, "BlockCausal does not work with MultiBlock: .*'grown'"),
        ({"cache": V2Cache()}, "V2Cache does not work with Sequential: .*'known'"),
        ({"cache": Causal()}, "Causal does not work with Sequential: .*'written'"),
        ({"blocks": OneByOne(), "cache": Delayed()}, "Delayed does not work with OneByOne: .*'ends'"),
        ({"blocks": Growing()}, "Threshold does not work with Growing: .*`must_commit`"),
        ({"commit": PerBlock()}, "PerBlock does not work with Sequential: .*'block_of', 'complete'"),
        ({"commit": Quota()}, "Quota reads 'tokens_per_step' from the decoder's `values`, which hold block_add_thre"),
        ({"cache": None}, "The decoder's `cache` is None, which is no CachePolicy"),
        ({"commit": NoCache()}, r"The decoder's `commit` is NoCache\(\), which is no CommitRule"),
        ({"values": {**VALUES, "name": "x"}}, "values hold name='x'; they are numbers"),
        (
            {"blocks": OneByOne(), "cache": Causal()},
            "Causal decodes checkpoints of the family 'ar' and the decoder's is 'dllm'; give the Decoder family='ar'",
        ),
    ],
)
def test_what_does_not_fit_is_refused_when_the_decoder_is_made(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(MethodsUsageError, match=message):
        decoder(**changes)


def test_a_score_that_does_not_exist_is_refused() -> None:
    with pytest.raises(MethodsUsageError, match=r"Unknown score 'entropi'\. Did you mean 'entropy'\?"):
        Score("entropi")


def test_replacing_a_policy_is_checked_too() -> None:
    with pytest.raises(MethodsUsageError, match="BlockCache does not work with MultiBlock"):
        replace(decoder(cache=BlockCache(dual=False)), blocks=MultiBlock())


@pytest.mark.parametrize("cache", [NoCache(), BlockCache(dual=False), BlockCache(dual=True)])
@pytest.mark.parametrize("commit", [Threshold(), Threshold(confidence=True), door.Factor(), Quota()])
def test_what_fits_decodes(cache: Any, commit: CommitRule) -> None:
    """Any rule over any block cache, although no method of the catalog has most of these pairs."""
    values = {**VALUES, "factor": 0.7, "tokens_per_step": 3}
    made = decoder(cache=cache, commit=commit, values=values)
    requests = [Request([1, 2, 3], 8, made), Request([4] * 9, 8, made)]
    assert all(0 not in result.reveal_step for result in run(backbone("llada"), requests, 1))


@dataclass(frozen=True)
class Late(Threshold):
    """Writes memory that `start` does not make: it would lack where a row joins the batch later."""

    def select(self, state: State, plan: Plan, cost: torch.Tensor) -> torch.Tensor:
        state.own["seen"] = cost
        return super().select(state, plan, cost)


@dataclass(frozen=True)
class Reader(Threshold):
    """Reads memory that nobody makes, and does not say so in `needs`."""

    def select(self, state: State, plan: Plan, cost: torch.Tensor) -> torch.Tensor:
        return super().select(state, plan, cost + state.own["bonus"])


@dataclass(frozen=True)
class Forgetful(Threshold):
    """Declares memory and does not make it."""

    memory = ("bonus",)


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (Late(), "The memory 'seen' is first written after decoding began; make it in a policy's `start`"),
        (Reader(), "No policy of this decoder makes the memory 'bonus' in its `start`; they make span, step"),
        (Forgetful(), "Forgetful declares the memory 'bonus' and does not make it in `start`"),
    ],
)
def test_memory_that_start_does_not_make_is_named(rule: CommitRule, message: str) -> None:
    """At the first forward, not at the first row that joins later."""
    with pytest.raises(MethodsError, match=message):
        run(backbone("llada"), [Request([1, 2], 8, decoder(commit=rule))])


@dataclass(frozen=True)
class Drawn(Scorer):
    """A scorer that draws every token from the softmax, as docs/add-a-method.md says."""

    def __call__(
        self, logits: torch.Tensor, state: State, row: torch.Tensor, pos: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        noise = gumbel(state.seed[row], state.forwards[row], pos, logits.shape[-1])
        return (logits.double() + noise).argmax(-1), -noise[:, 0]


def test_random_numbers_do_not_depend_on_the_batch() -> None:
    made, model = decoder(score=Drawn(), values={**VALUES, "threshold": 0.0}), backbone("llada")
    requests = [Request([seed, 3], 16 if seed % 2 else 8, made, seed=seed) for seed in range(5)]
    together = run(model, requests, 2)
    assert all(same(one, run(model, [request])[0]) for one, request in zip(together, requests, strict=True))
    assert len({tuple(result.output_ids[:8]) for result in together}) == 5


def test_everything_exported_is_there_and_documented() -> None:
    assert all(getattr(door, name).__doc__ for name in door.__all__ if name != "KINDS")
    with pytest.raises(AttributeError, match="nothing_like_it"):
        _ = door.nothing_like_it


def test_the_kinds_of_forwards_need_no_torch() -> None:
    code = "import sys; from methods.decoding import forwards; assert forwards.KINDS; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_the_page_for_authors_imports_from_the_door_alone() -> None:
    text = (ROOT / "docs" / "add-a-method.md").read_text(encoding="utf-8")
    example = (ROOT / "examples" / "dinfer_hierarchy" / "dllm_dinfer_hierarchy" / "decoder.py").read_text(
        encoding="utf-8"
    )
    for source in (text, example):
        assert "from methods.decoding import" in source
        assert "methods.decoding." not in source.replace("methods.decoding.__all__", "")


def outside(builder: str) -> Method:
    """A method of another package."""
    return replace(registry.get("dparallel"), name="outside", decoder=builder, repairs=(), reference={})


def three(settings: dict[str, Any], arch: str, fidelity: str) -> tuple[Any, ...]:
    return settings, arch, fidelity


def other_names(values: dict[str, Any], architecture: str, mode: str) -> tuple[Any, ...]:
    return values, architecture, mode


def with_arch(settings: dict[str, Any], arch: str) -> tuple[Any, ...]:
    return settings, arch


@pytest.mark.parametrize(
    ("function", "wanted"),
    [
        ("three", ({"a": 1}, "dream", "compat")),
        ("other_names", ({"a": 1}, "dream", "compat")),
        ("with_arch", ({"a": 1}, "dream")),
    ],
)
def test_builders_of_other_packages_get_what_they_ask_for(function: str, wanted: tuple[Any, ...]) -> None:
    assert outside(f"{__name__}:{function}").build({"a": 1}, "dream", "compat") == wanted


@pytest.mark.parametrize("builder", ["nowhere.at_all:build", f"{__name__}:nothing", "no_colon"])
def test_a_builder_that_does_not_load_is_one_sentence(builder: str) -> None:
    with pytest.raises(MethodsError, match=f"The decoder '{builder}' of the method 'outside' does not load"):
        outside(builder).build({}, "llada")
