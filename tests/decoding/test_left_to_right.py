"""The autoregressive rows: `ar` is transformers' greedy decoding, `ar_speculative` gives the same tokens in fewer."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from methods.decoding import Request, Result
from tests.decoding.tiny import backbone, method, run

FEW = settings(max_examples=3, deadline=None, derandomize=True, phases=(Phase.explicit, Phase.generate))
ARCHS = ["ar", "qwen2"]


def greedy(model: Any, prompt: list[int], gen: int) -> list[int]:
    """transformers' own generate."""
    ids = torch.tensor([prompt])
    with torch.inference_mode():
        out = model.model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=gen,
            do_sample=False,
            use_cache=True,
            eos_token_id=list(model.special.eos),
            pad_token_id=model.special.pad,
        )
    return out[0, len(prompt) :].tolist()


@pytest.mark.parametrize("arch", ARCHS)
@FEW
@given(seed=st.integers(0, 5), prompt=st.lists(st.integers(0, 46), min_size=2, max_size=12))
def test_ar_is_greedy_and_speculation_is_lossless(arch: str, seed: int, prompt: list[int]) -> None:
    model = backbone(arch, seed)
    wanted = greedy(model, prompt, 20)
    (plain,) = run(model, [Request(prompt, 20, method("ar", arch))])
    assert plain.output_ids == wanted
    assert plain.forwards == {"prefill": 1, "denoise": len(wanted) - 1, "refresh": 0, "draft": 0}
    assert plain.reveal_step == list(range(1, len(wanted) + 1))
    for tokens in (0, 5):
        found = counted(model, Request(prompt, 20, method("ar_speculative", arch, draft_tokens=tokens)))
        assert found.output_ids == wanted
        assert found.total_forwards <= len(wanted)
        assert found.reveal_step == sorted(found.reveal_step)
        assert found.reveal_step[-1] == found.total_forwards
        if not tokens:
            assert found.total_forwards == len(wanted)


def counted(model: Any, request: Request) -> Result:
    """The result of a request, its forwards compared with what a hook on a layer sees."""
    seen: list[int] = []
    hook = model._layers[0].register_forward_pre_hook(lambda module, args: seen.append(args[0].shape[1]))
    try:
        (result,) = run(model, [request])
    finally:
        hook.remove()
    assert (result.total_forwards, result.positions) == (len(seen), sum(seen))
    assert result.nfe == result.total_forwards
    return result


def test_a_text_that_repeats_itself_is_verified_several_tokens_at_a_time() -> None:
    """A tiny random model soon runs in a circle, which prompt lookup finds: more than one token per forward."""
    decoder = method("ar_speculative", "ar", draft_tokens=8)
    found = [counted(backbone("ar", seed), Request([seed, 2, 3], 60, decoder)) for seed in range(4)]
    tokens, forwards = (
        sum(len(result.output_ids) for result in found),
        sum(result.total_forwards for result in found),
    )
    assert tokens / forwards > 1.2  # TPF; drafts are not in it
    assert all(result.forwards["draft"] == 0 for result in found)  # a lookup runs no draft model


def test_batched_rows_of_several_lengths_equal_single_ones() -> None:
    model = backbone("qwen2", 1)
    requests = [Request(list(range(1, 2 + count)), gen, method("ar")) for count, gen in ((3, 12), (9, 5), (1, 20))]
    alone = [run(model, [request])[0].output_ids for request in requests]
    assert [result.output_ids for result in run(model, requests, batch=2)] == alone
