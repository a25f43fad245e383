"""Reused canvases change nothing but how many forward passes run."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from methods.decoding import Request, Result, Score, decode
from methods.decoding.policies import Scorer
from methods.decoding.rounds import reusable
from tests.decoding.test_invariants import DLLM, TINY, family
from tests.decoding.tiny import backbone, method, named, same

QUICK = (Phase.explicit, Phase.generate)
SWEPT: dict[str, tuple[str, list[Any]]] = {
    "vanilla": ("tokens_per_step", [1, 2, 3]),
    "fast_dllm_factor": ("factor", [0.0, 0.7, 1.5]),
    "eb_sampler": ("gamma", [0.0, 0.5, 2.0]),
    "prophet": ("gap_scale", [1e9, 1.0, 0.3]),
}
CACHE_FREE = ("vanilla", "fast_dllm_factor", "dparallel", "tad_speed")
PROMPTS = [[1, 2, 3], [4, 5, 6, 7, 8], [9, 1, 9]]
UNCACHED: dict[str, dict[str, Any]] = {"fast_dllm_factor": {"cache": "none"}}


def swept(name: str, arch: str, prompts: list[list[int]], gen: int = 24, **more: Any) -> list[Request]:
    """Every prompt at every point of a method."""
    key, points = SWEPT.get(name, ("threshold", [0.0, 0.4, 0.9]))
    own = {**TINY, **DLLM.get(name, {}), **UNCACHED.get(name, {}), **more}
    return [Request(prompt, gen, method(name, arch, **own, **{key: point})) for point in points for prompt in prompts]


def both(model: Any, requests: list[Request], batch: int = 4, **reuse: Any) -> tuple[list[Result], list[Result]]:
    """(results without reuse, with it), in the order of the requests."""
    return tuple(  # type: ignore[return-value]
        sorted(decode(model, requests, batch_size=batch, **how), key=lambda result: result.index)
        for how in ({"reuse_mb": 0}, reuse)
    )


def ran(results: list[Result]) -> int:
    return sum(result.forwards_run for result in results)


@settings(max_examples=6, deadline=None, derandomize=True, phases=QUICK)
@given(data=st.data(), arch=st.sampled_from(["llada", "dream"]), seed=st.integers(0, 3), batch=st.integers(1, 9))
def test_results_do_not_depend_on_reuse(data: st.DataObject, arch: str, seed: int, batch: int) -> None:
    """Any methods, settings, lengths, order, batch size (so refill too) and memory."""
    names = data.draw(st.lists(st.sampled_from(sorted(set(DLLM) - {"fast_dllm_v2"})), min_size=1, max_size=4))
    block = data.draw(st.sampled_from([4, 8]))
    gen = data.draw(st.sampled_from([8, 16, 24]))
    requests = [one for name in names for one in swept(name, arch, PROMPTS, gen, block_size=block)]
    requests += [Request([7, 7], 8, method("vanilla", arch, **TINY)), *swept("dparallel", arch, [[3, 3]], 16)]
    random.Random(seed).shuffle(requests)
    megabytes = data.draw(st.sampled_from([512, 0.03, 0.001]))
    plain, reused = both(backbone(arch, seed), requests, batch, reuse_mb=megabytes, note=lambda text: None)
    assert all(map(same, plain, reused))
    assert ran(plain) == sum(result.total_forwards for result in plain)
    assert all(result.forwards_run <= result.total_forwards for result in reused)
    if megabytes == 512:
        assert ran(reused) < ran(plain)


@pytest.mark.parametrize("batch", [1, 5, 64])
def test_every_canvas_of_the_cache_free_methods_is_computed_once(batch: int) -> None:
    """The forwards that run are as many as there are distinct canvases, and as a hook on the model sees."""
    requests = [one for name in CACHE_FREE for one in swept(name, "llada", PROMPTS)]
    model = backbone("llada", 1)
    alone = [next(iter(decode(model, [one]))) for one in requests]
    canvases = {
        (tuple(one.prompt_ids), tuple(map(_seen(result, at), range(24))))
        for one, result in zip(requests, alone, strict=True)
        for at in range(1, result.total_forwards + 1)
    }
    seen: list[int] = []
    hook = model._layers[0].register_forward_pre_hook(lambda module, args: seen.append(args[0].shape[0]))
    try:
        results = list(decode(model, requests, batch_size=batch))
    finally:
        hook.remove()
    assert sum(seen) == ran(results)
    assert not any(result.revisions for result in alone), "or the commit order does not tell the canvases"
    assert ran(results) == len(canvases)
    assert sum(result.positions_run for result in results) < 0.6 * sum(result.positions for result in results)


def _seen(result: Result, forward: int) -> Any:
    """The id of an output slot before `forward` (from 1), None while it is open."""
    return lambda slot: result.output_ids[slot] if result.reveal_step[slot] < forward else None


def test_equal_prompts_of_one_run_cost_one() -> None:
    decoder = method("tad_speed", **TINY, threshold=0.4)
    results = list(decode(backbone("llada"), [Request([1, 2, 3], 16, decoder) for _ in range(4)]))
    assert len({tuple(result.output_ids) for result in results}) == 1
    assert ran(results) == results[0].total_forwards
    assert sorted(result.forwards_run for result in results)[:3] == [0, 0, 0]


@pytest.mark.parametrize("name", ["fast_dllm_prefix", "fast_dllm_dual", "d3llm_cache", "d2f", "fast_dllm_v2"])
def test_what_reads_a_store_is_never_reused(name: str) -> None:
    requests = swept(name, "llada", [[1, 2, 3]]) * 2
    _, results = both(backbone(family(name, "llada")), requests)
    assert ran(results) == sum(result.total_forwards for result in results)


def test_draws_are_never_reused() -> None:
    requests = [Request([1, 2, 3], 16, method("tad_speed", **TINY, temperature=0.7), seed) for seed in (0, 0, 1)]
    _, results = both(backbone("llada"), requests)
    assert ran(results) == sum(result.total_forwards for result in results)


@dataclass(frozen=True)
class Momentum(Scorer):
    """A score that remembers: the confidence, less what it was before."""

    memory = ("before",)

    def start(self, state: Any) -> None:
        state.own["before"] = torch.zeros(state.ids.shape, dtype=torch.float64)

    def __call__(self, logits: Any, state: Any, row: Any, pos: Any) -> Any:
        token, cost = Score("probability")(logits, state, row, pos)
        moved = cost - 0.5 * state.own["before"][row, pos]
        state.own["before"][row, pos] = cost
        return token, moved


@dataclass(frozen=True)
class Louder(Score):
    """A subclass that scores in its own way and does not say that it is pure."""

    def __call__(self, logits: Any, state: Any, row: Any, pos: Any) -> Any:
        token, cost = super().__call__(logits, state, row, pos)
        return token, cost * (1 + state.forwards[row])


@dataclass(frozen=True)
class Doubled(Score):
    """A subclass that changes a part of the arithmetic only."""

    def entropy(self, probs: Any) -> Any:
        return 2 * super().entropy(probs)


def test_only_scorers_that_say_so_are_pure() -> None:
    from dataclasses import replace

    decoder = method("tad_speed", **TINY, threshold=0.4)
    scorers = {Score("entropy"): True, Doubled("entropy"): True, Momentum(): False, Louder("entropy"): False}
    assert {scorer: reusable(replace(decoder, score=scorer)) for scorer in scorers} == scorers
    requests = [Request([1, 2, 3], 24, replace(decoder, score=scorer)) for scorer in (*scorers, *scorers)]
    plain, reused = both(backbone("llada", 2), requests)
    assert all(map(same, plain, reused))
    assert len({tuple(result.reveal_step) for result in plain}) > 1, "they must rank differently to show anything"


def test_published_decoders_share_with_each_other_and_with_methods() -> None:
    """Float64 costs, other mask ids, positions scored beside the eligible ones."""
    requests = [
        named("llada.tad_multi_block", [1, 2, 3], "compat", max_new_tokens=24, block_size=8, threshold=threshold)
        for threshold in (0.3, 0.6, 0.9)
    ]
    requests += swept("tad_speed", "llada", [[1, 2, 3]])
    plain, reused = both(backbone("llada", 1), requests)
    assert all(map(same, plain, reused))
    assert ran(reused) < ran(plain)


def test_too_little_memory_is_said_once_and_stops_nothing() -> None:
    requests = [one for name in CACHE_FREE for one in swept(name, "llada", PROMPTS)]
    notes: list[str] = []
    plain, reused = both(backbone("llada", 1), requests, reuse_mb=0.002, note=notes.append)
    assert all(map(same, plain, reused))
    assert len(notes) == 1
    assert "--reuse-mb" in notes[0]


def test_documents_make_room_for_each_other() -> None:
    """Memory for one document but not for three: they are taken one after the other, and each is still reused."""
    requests = [one for name in CACHE_FREE for one in swept(name, "llada", PROMPTS)]
    model = backbone("llada", 1)
    _, whole = both(model, requests)
    _, tight = both(model, requests, reuse_mb=0.2)
    assert ran(tight) == ran(whole)
