"""What must hold for any model, prompt and setting."""

from __future__ import annotations

import random
from typing import Any

import pytest
import torch
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from methods.decoding import Request, Shape, begin, decode
from tests.decoding.tiny import EOS, MASK, backbone, method, named, run, same

QUICK = (Phase.explicit, Phase.generate)  # a failure says its case; shrinking it takes minutes
FEW = settings(max_examples=3, deadline=None, derandomize=True, phases=QUICK)
TINY: dict[str, Any] = {"block_size": 8}
DLLM: dict[str, dict[str, Any]] = {
    "vanilla": {},
    "fast_dllm_prefix": {},
    "fast_dllm_dual": {},
    "fast_dllm_factor": {},
    "dparallel": {},
    "d2f": {},
    "d3llm": {"early_stop": True},
    "d3llm_cache": {"early_stop": True, "refresh_interval": 3},
    "tad_speed": {},
    "fast_dllm_v2": {"sub_block_size": 4},
    "eb_sampler": {},
    "localleap": {"relaxed_threshold": 0.1, "radius": 2},
    "credit": {},
    "adablock": {"delimiters": (3, 4, 5, 6, 7, 8, 9, 10), "delimiter_threshold": 0.1},
    "slowfast": {"cycle_threshold": 0.2},
    "klass": {"kl_threshold": 1.0, "history": 1},
    "prophet": {"prefill": ((1, 7), (2, 9)), "answer_start": 3},
    "custom": {},
}
ONE: dict[str, dict[str, Any]] = {
    "vanilla": {"tokens_per_step": 1},
    "fast_dllm_prefix": {"threshold": 1.0},
    "fast_dllm_dual": {"threshold": 1.0},
    "fast_dllm_factor": {"factor": 0.0},
    "dparallel": {"threshold": 0.0},
    "d2f": {"threshold": 1.0, "block_add_threshold": 1.0, "decoded_token_threshold": 1.0},
    "d3llm": {"threshold": 0.0, "early_stop": False},
    "d3llm_cache": {"threshold": 0.0, "early_stop": False},
    "tad_speed": {"threshold": 0.0},
    "eb_sampler": {"gamma": 0.0},
    "localleap": {"threshold": 1.0},
    "credit": {"threshold": 1.0},
    "adablock": {"threshold": 1.0, "delimiters": (3, 4, 5)},
    "slowfast": {"threshold": 1.0},
    "klass": {"threshold": 1.0},
    "prophet": {"gap_scale": 1e9, "prefill": ()},
    "custom": {"commit": "quota", "tokens_per_step": 1},
}
prompts = st.lists(st.integers(0, 46), min_size=1, max_size=20)
archs = st.sampled_from(["llada", "dream"])


def family(name: str, arch: str) -> str:
    """The backbone for a method: block diffusion has its own."""
    return "block" if name == "fast_dllm_v2" else arch


seeds = st.integers(0, 3)


@pytest.mark.parametrize("name", sorted(ONE))
@FEW
@given(arch=archs, seed=seeds, prompt=prompts)
def test_nothing_passes_means_one_token_a_forward(name: str, arch: str, seed: int, prompt: list[int]) -> None:
    decoder = method(name, arch, **TINY, **ONE[name])
    (result,) = run(backbone(arch, seed), [Request(prompt, 24, decoder)])
    assert result.total_forwards == len(result.output_ids)
    assert sorted(result.reveal_step) == list(range(1, len(result.output_ids) + 1))


@FEW
@given(arch=archs, seed=seeds, data=st.data())
def test_batch_refill_order_and_mixed_settings_change_nothing(arch: str, seed: int, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(DLLM)))
    swept: dict[str, tuple[str, list[Any]]] = {
        "vanilla": ("tokens_per_step", [1, 2, 3]),
        "fast_dllm_factor": ("factor", [0.0, 0.7, 1.5]),
        "eb_sampler": ("gamma", [0.0, 0.5, 2.0]),
        "prophet": ("gap_scale", [1e9, 1.0, 0.3]),
    }
    key, choices = swept.get(name, ("threshold", [0.2, 0.6, 0.9]))
    requests = [
        Request(
            data.draw(prompts),
            data.draw(st.sampled_from([8, 16, 24])),
            method(name, arch, **TINY, **DLLM[name], **{key: data.draw(st.sampled_from(choices))}),
        )
        for _ in range(5)
    ]
    model = backbone(family(name, arch), seed)
    alone = [run(model, [request])[0] for request in requests]
    for batch in (2, 5):
        assert all(map(same, run(model, requests, batch), alone))
    order = list(range(5))
    random.Random(seed).shuffle(order)
    shuffled = run(model, [requests[place] for place in order], 3)
    assert all(same(shuffled[at], alone[place]) for at, place in enumerate(order))


@pytest.mark.parametrize("name", sorted(DLLM))
@FEW
@given(arch=archs, seed=seeds, prompt=prompts)
def test_counts_are_what_a_hook_sees_and_no_mask_comes_out(name: str, arch: str, seed: int, prompt: list[int]) -> None:
    model, seen = backbone(family(name, arch), seed), []
    hook = model._layers[0].register_forward_pre_hook(lambda module, args: seen.append(args[0].shape[1]))
    try:
        (result,) = run(model, [Request(prompt, 24, method(name, arch, **TINY, **DLLM[name]))])
    finally:
        hook.remove()
    assert (result.total_forwards, result.positions) == (len(seen), sum(seen))
    assert result.nfe == result.total_forwards
    assert MASK not in result.output_ids
    given = [slot for slot, _ in DLLM[name].get("prefill", ())]  # these stood there before the first forward
    assert [slot for slot, step in enumerate(result.reveal_step) if not 0 < step <= result.total_forwards] == given
    assert all(result.reveal_step[slot] == 0 for slot in given)
    if not DLLM[name].get("early_stop"):
        assert name == "fast_dllm_v2" or result.revisions == 0


REFRESHED: list[tuple[str, dict[str, Any], str, dict[str, Any]]] = [
    ("fast_dllm_factor", {"cache": "none"}, "fast_dllm_factor", {"cache": "dual", "refresh_interval": 1}),
    ("fast_dllm_factor", {"cache": "none"}, "fast_dllm_factor", {"cache": "prefix", "refresh_interval": 1}),
    ("fast_dllm_prefix", {"refresh_interval": 1}, "fast_dllm_dual", {"refresh_interval": 1}),
    ("localleap", {}, "custom", {"commit": "localleap", "cache": "dual", "refresh_interval": 1}),
    ("eb_sampler", {}, "custom", {"commit": "eb_sampler", "cache": "prefix", "refresh_interval": 1}),
    ("credit", {}, "custom", {"score": "credit", "cache": "dual", "refresh_interval": 1}),
    ("d3llm", {}, "d3llm_cache", {"refresh_interval": 1, "cache_delay": 1}),
]


@pytest.mark.parametrize(("plain", "own", "cached", "more"), REFRESHED)
@FEW
@given(arch=archs, seed=seeds, prompt=prompts)
def test_refreshing_at_every_step_is_no_cache(
    plain: str, own: dict[str, Any], cached: str, more: dict[str, Any], arch: str, seed: int, prompt: list[int]
) -> None:
    model = backbone(arch, seed)
    pair = [method(plain, arch, **TINY, **own), method(cached, arch, **TINY, **more)]
    left, right = (run(model, [Request(prompt, 24, made)])[0] for made in pair)
    assert (left.output_ids, left.reveal_step) == (right.output_ids, right.reveal_step)
    assert right.positions == right.total_forwards * (len(prompt) + 24)


@FEW
@given(seed=seeds, prompt=prompts, threshold=st.sampled_from([0.3, 0.6, 0.9]))
def test_refreshed_fast_dllm_is_the_uncached_threshold(seed: int, prompt: list[int], threshold: float) -> None:
    model = backbone("llada", seed)
    plain = named("llada.confidence_threshold", prompt, gen_length=24, block_length=8, threshold=threshold)
    cached = method("fast_dllm_dual", threshold=threshold, refresh_interval=1, **TINY)
    left, right = run(model, [plain])[0], run(model, [Request(prompt, 24, cached)])[0]
    assert (left.output_ids, left.reveal_step) == (right.output_ids, right.reveal_step)


@FEW
@given(arch=archs, seed=seeds, prompt=prompts, threshold=st.sampled_from([0.0, 0.4, 1.2]))
def test_multi_block_at_one_is_sequential(arch: str, seed: int, prompt: list[int], threshold: float) -> None:
    blocks: dict[str, Any] = {"block_add_threshold": 1.0, "decoded_token_threshold": 1.0, "early_stop": False}
    pair = [method("dparallel", arch, threshold=threshold, **TINY)]
    pair += [method("d3llm", arch, threshold=threshold, **TINY, **blocks)]
    left, right = (run(backbone(arch, seed), [Request(prompt, 24, made)])[0] for made in pair)
    assert same(left, right)


@FEW
@given(arch=archs, seed=seeds, prompt=prompts)
def test_d2f_cache_is_exact(arch: str, seed: int, prompt: list[int]) -> None:
    pair = [method("d2f", arch, cache=cache, threshold=0.6, **TINY) for cache in (True, False)]
    left, right = (run(backbone(arch, seed), [Request(prompt, 24, made)])[0] for made in pair)
    assert (left.output_ids, left.reveal_step) == (right.output_ids, right.reveal_step)
    assert left.positions <= right.positions


@torch.inference_mode()
@FEW
@given(arch=archs, seed=seeds, prompt=prompts, cut=st.integers(1, 2))
def test_d2f_never_reads_a_later_block(arch: str, seed: int, prompt: list[int], cut: int) -> None:
    """Change every token from block `cut` on: what the earlier blocks and the prompt compute stays the same."""
    model, decoder = backbone(arch, seed), method("d2f", arch, **TINY)
    shape = Shape(len(prompt) + 24, MASK, torch.tensor([EOS]), model.shift, model.device, 3)
    state = begin(decoder, shape, [Request(prompt, 24, decoder)])
    plan = decoder.blocks.plan(state)
    state.own["grown"] = state.total
    decoder.cache.window(state, plan)
    place = shape.pos
    slots, readable = decoder.cache.access(state, plan, place, torch.ones_like(place, dtype=torch.bool))
    ids = (state.ids + 7 * place) % 47
    other, edge = ids.clone(), len(prompt) + 8 * cut
    other[:, edge:] = (other[:, edge:] + 1) % 47
    before, after = (
        model.hidden(tokens, place, store=model.new_store(1, shape.width + 1), slots=slots, readable=readable)
        for tokens in (ids, other)
    )
    assert torch.equal(before[:, :edge], after[:, :edge])
    assert not torch.equal(before[:, edge:], after[:, edge:])


def test_results_come_as_rows_finish_and_seconds_are_shares() -> None:
    model = backbone("llada")
    requests = [Request([1, 2], length, method("vanilla", block_size=8)) for length in (8, 24, 16, 8)]
    results = list(decode(model, requests, batch_size=2))
    assert sorted(result.index for result in results) == [0, 1, 2, 3]
    assert all(result.seconds > 0 for result in results)
