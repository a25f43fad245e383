"""Fast-dLLM v2: an autoregressive checkpoint turned block diffusion, against a plain loop that caches nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from methods.backbones import create, load, save
from methods.decoding import Request
from methods.errors import MethodsUsageError
from tests.decoding.tiny import CONFIGS, EOS, IDS, MASK, backbone, method, run

FEW = settings(max_examples=4, deadline=None, derandomize=True, phases=(Phase.explicit, Phase.generate))


@torch.inference_mode()
def plain(model: Any, prompt: list[int], gen: int, size: int, sub: int, threshold: float) -> tuple[list[int], int]:
    """(output ids, forwards) of the paper's loop with everything computed again at every forward."""
    ids, end, frozen, forwards = [*prompt, *[-1] * gen], len(prompt) + gen, 0, 0

    def probabilities(stop: int) -> torch.Tensor:
        tokens = torch.tensor([[MASK if token < 0 else token for token in ids[:stop]]])
        at = torch.arange(stop)
        state = model.hidden(tokens, at[None], readable=(at[None, :] // size <= at[:, None] // size)[None])
        logits = model.head(state)[0].float()
        probs = torch.softmax(logits, -1)
        probs[:, MASK] = -1
        return probs

    while -1 in ids:
        first = ids.index(-1)
        known = first // size * size
        forwards += 1
        if known > frozen:
            frozen = known
            if first == known:
                ids[known] = int(probabilities(known)[known - 1].argmax())
        else:
            stop = min(known + size, end)
            start = known + (first - known) // sub * sub
            probs = probabilities(stop)
            slots = [at for at in range(start, min(start + sub, stop)) if ids[at] < 0]
            best = max(slots, key=lambda at: float(probs[at - 1].max()))
            for at in slots:
                if at == best or probs[at - 1].max() > threshold:
                    ids[at] = int(probs[at - 1].argmax())
        ends = [at for at in range(len(prompt), end) if ids[at] == EOS]
        if ends:
            ids[ends[0] + 1 :] = [EOS] * (end - ends[0] - 1)
    return ids[len(prompt) :], forwards


@FEW
@given(
    seed=st.integers(0, 3),
    prompt=st.lists(st.integers(0, 46), min_size=1, max_size=20),
    threshold=st.sampled_from([0.3, 0.7, 1.0]),
)
def test_equals_the_plain_loop(seed: int, prompt: list[int], threshold: float) -> None:
    model = backbone("block", seed)
    decoder = method("fast_dllm_v2", "block", threshold=threshold, block_size=8, sub_block_size=4)
    (result,) = run(model, [Request(prompt, 20, decoder)])
    assert (result.output_ids, result.total_forwards) == plain(model, prompt, 20, 8, 4, threshold)
    if len(prompt) >= 8:
        assert result.forwards["prefill"] == 1
    assert result.positions < result.total_forwards * (len(prompt) + 20)


def test_an_autoregressive_checkpoint_is_turned_saved_and_decoded(tmp_path: Path) -> None:
    """What the recipe exports: the weights of the AR model, read by the decoder's mask."""
    for arch in ("qwen2", "ar"):
        made = create({**CONFIGS[arch], **IDS}, 0)
        assert made.special.mask is None
        decoder = method("fast_dllm_v2", "block", threshold=0.9, block_size=8, sub_block_size=4)
        with pytest.raises(MethodsUsageError, match="needs a block diffusion checkpoint"):
            run(made, [Request([1, 2, 3], 16, decoder)])
        made.turn_block(MASK)
        (before,) = run(made, [Request([1, 2, 3], 16, decoder)])
        back = load(save(made, tmp_path / arch), device="cpu")
        assert (back.arch, back.shift, back.causal, back.special.mask) == ("block", 1, False, MASK)
        (after,) = run(back, [Request([1, 2, 3], 16, decoder)])
        assert after.output_ids == before.output_ids
        with pytest.raises(MethodsUsageError, match="a masked diffusion checkpoint"):
            run(back, [Request([1, 2, 3], 16, method("d3llm", "block", block_size=8))])


def test_a_row_that_ends_inside_a_block_gives_all_its_ids() -> None:
    """20 slots are no whole number of blocks; where an EOS ends the row the last block counts all the same."""
    lengths = []
    for seed in range(12):
        model = create({**CONFIGS["block"], **IDS, "eos_token_id": seed}, seed)
        decoder = method("fast_dllm_v2", "block", threshold=0.3, block_size=8, sub_block_size=4)
        lengths += [len(result.output_ids) for result in run(model, [Request([40, 41, 42], 20, decoder)] * 2)]
    assert lengths == [20] * 24
