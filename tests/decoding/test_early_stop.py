"""What an EOS does is a condition of the column: every diffusion row can stop early, and does nothing else by it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
import torch
from hypothesis import given

from methods import registry
from methods.decoding import ExternalDecoder, FillTail, Ignore, Request, Result
from methods.errors import MethodsUsageError
from methods.method import Method
from tests.decoding.test_invariants import DLLM, FEW, ONE, archs, family, prompts, seeds
from tests.decoding.tiny import EOS, MASK, backbone, method, run, same

ROWS = sorted(name for name, one in registry.all_methods().items() if one.family in ("dllm", "block"))
# edits go on behind the first EOS and meet the fill there, so the rest of the row is another one
SAME_BEFORE = sorted({*ROWS} - {"joint_threshold"})
LENGTH = 24


def undefined(name: str, arch: str) -> bool:
    """WINO's shadow block has no meaning where a token is predicted at the position before it."""
    return (name, arch) == ("wino", "dream")


def often_ends(name: str, arch: str, seed: int) -> Any:
    """A random model that likes the EOS: most canvases hold one early."""
    model = backbone(family(name, arch), seed)
    head = model.head

    def likes(state: torch.Tensor) -> torch.Tensor:
        logits = head(state)
        logits[:, EOS] += 6.0
        return logits

    return model, likes


def pair(name: str, arch: str, seed: int, prompt: list[int], **settings: Any) -> tuple[Result, Result]:
    """The same request (with early stop, without)."""
    model, likes = often_ends(name, arch, seed)
    model.head = likes
    try:
        made = [method(name, arch, block_size=8, **{**settings, "early_stop": early}) for early in (True, False)]
        return tuple(run(model, [Request(prompt, LENGTH, one)])[0] for one in made)  # type: ignore[return-value]
    finally:
        del model.head


def own(name: str) -> dict[str, Any]:
    return {key: value for key, value in DLLM.get(name, {}).items() if key != "early_stop"}


@pytest.mark.parametrize("name", ROWS)
@FEW
@given(arch=archs, seed=seeds, prompt=prompts)
def test_every_row_ends_with_its_first_eos(name: str, arch: str, seed: int, prompt: list[int]) -> None:
    """Behind the first EOS there is nothing but EOS, and no slot before it stays open."""
    if undefined(name, arch):
        return
    early, late = pair(name, arch, seed, prompt, **own(name))
    assert MASK not in early.output_ids
    if EOS in early.output_ids:
        first = early.output_ids.index(EOS)
        assert set(early.output_ids[first:]) == {EOS}
        assert early.stop_reason == "eos"
    else:
        assert same(early, late), "without an EOS nothing is different"
    assert early.total_forwards == early.nfe


@pytest.mark.parametrize("name", SAME_BEFORE)
@FEW
@given(arch=archs, seed=seeds, prompt=prompts)
def test_nothing_differs_before_the_first_eos(name: str, arch: str, seed: int, prompt: list[int]) -> None:
    """Both decode alike up to the forward of the first EOS; with nothing open before it the texts are equal."""
    if undefined(name, arch):
        return
    early, late = pair(name, arch, seed, prompt, **own(name))
    ends = [step for token, step in zip(late.output_ids, late.reveal_step, strict=True) if token == EOS]
    if not ends:
        return
    turn = min(ends)
    shared = [place for place, step in enumerate(late.reveal_step) if step <= turn]
    first = min(place for place in shared if late.output_ids[place] == EOS)
    for place in (place for place in shared if place <= first):
        assert early.reveal_step[place] == late.reveal_step[place]
        if early.commit_step[place] <= turn:  # else a later EOS further left has filled it
            assert early.output_ids[place] == late.output_ids[place]
    if set(range(first)) <= set(shared):
        assert early.output_ids[:first] == late.output_ids[:first]
        assert early.total_forwards == turn <= late.total_forwards


@pytest.mark.parametrize("name", sorted(ONE))
@FEW
@given(arch=archs, seed=seeds, prompt=prompts)
def test_one_token_a_forward_needs_no_more_forwards(name: str, arch: str, seed: int, prompt: list[int]) -> None:
    """Where every forward commits one token, what is filled is what is saved."""
    early, late = pair(name, arch, seed, prompt, **ONE[name])
    assert early.total_forwards <= late.total_forwards == len(late.output_ids)
    assert set(early.reveal_step) == set(range(1, early.total_forwards + 1)), "no forward committed nothing"


def test_the_saving_is_real() -> None:
    """On a model that ends early each row runs fewer forwards; a stop that did nothing would pass the tests above."""
    for name in ROWS:
        found = [pair(name, "llada", seed, [1, 2, 3], **own(name)) for seed in range(4)]
        shorter = sum(early.total_forwards < late.total_forwards for early, late in found)
        assert shorter or name == "d2f", name  # D2F appends no block behind an EOS in either case
        assert sum(early.total_forwards for early, _ in found) <= sum(late.total_forwards for _, late in found), name


@FEW
@given(arch=archs, seed=seeds, prompt=prompts)
def test_an_early_stop_leaves_the_exact_cache_exact(arch: str, seed: int, prompt: list[int]) -> None:
    """The fill changes committed tokens: none of them lies in a frozen block."""
    cached, plain = (pair("d2f", arch, seed, prompt, cache=cache, threshold=0.6)[0] for cache in (True, False))
    assert (cached.output_ids, cached.reveal_step) == (plain.output_ids, plain.reveal_step)


def test_every_diffusion_row_has_the_setting_and_no_other_row_has() -> None:
    for name, one in registry.all_methods().items():
        assert ("early_stop" in one.params) is (one.family != "ar"), name
        if one.family == "ar":
            continue
        settings = [one.settings({**own(name), "early_stop": early}) for early in (True, False)]
        stops = [type(one.build(values, "llada").stop) for values in settings]
        assert stops == [FillTail, Ignore], name


@dataclass(frozen=True)
class Elsewhere(ExternalDecoder):
    """A loop of another library that knows no early stop."""

    family: str = "dllm"

    def decode(self, backbone: Any, requests: Any) -> Any:
        """Not reached."""
        raise NotImplementedError


@dataclass(frozen=True)
class ElsewhereEnding(Elsewhere):
    """One that ends by itself."""

    stops_early: bool = True


@pytest.mark.parametrize("decoder", [Elsewhere, ElsewhereEnding])
def test_a_loop_that_cannot_stop_is_refused(decoder: type[Elsewhere]) -> None:
    one = Method("far", "Far", "-", "-", "dllm", lambda settings: decoder(), {}, None, (), {}, "base")
    assert isinstance(one.build(one.settings({}), "llada"), decoder)
    asked = one.settings({"early_stop": True})
    if decoder is ElsewhereEnding:
        assert isinstance(one.build(asked, "llada"), decoder)
    else:
        with pytest.raises(MethodsUsageError, match=r"far: another library's loop .* --set early_stop=false"):
            one.build(asked, "llada")
