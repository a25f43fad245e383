"""The rule against its description, written out for one row with nothing clever in it."""

from __future__ import annotations

from itertools import groupby
from typing import Any

import pytest
import torch
from dllm_dinfer_hierarchy import METHOD

from methods.backbones import create
from methods.decoding import Request, decode

MASK, VOCAB, BLOCK, LENGTH = 30, 32, 8, 16
DREAM = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2}
DREAM |= {"num_key_value_heads": 2, "max_position_embeddings": 128}
LLADA = {"d_model": 32, "mlp_hidden_size": 48, "n_layers": 2, "n_heads": 2, "n_kv_heads": 2, "embedding_size": VOCAB}
LLADA |= {"max_sequence_length": 128, "rope_theta": 10000.0, "rms_norm_eps": 1e-5, "weight_tying": False}
CONFIGS = {"Dream": DREAM, "llada": LLADA}
IDS = {"vocab_size": VOCAB, "mask_token_id": MASK, "eos_token_id": 31, "pad_token_id": 29}


def model(kind: str) -> Any:
    """A random backbone, sharp enough that some slots are sure."""
    made = create({"model_type": kind, **CONFIGS[kind], **IDS}, 1)
    with torch.no_grad():
        made.model.lm_head.weight.mul_(12)
    return made


@torch.inference_mode()
def plainly(backbone: Any, prompt: list[int], threshold: float, low: float) -> tuple[list[int], int, int]:
    """(tokens, forwards, slots that only a gap let pass): whole canvas, float64, one slot after the other."""
    start, ids = len(prompt), torch.tensor([[*prompt, *[MASK] * LENGTH]])
    forwards = gaps = 0
    for first in range(start, start + LENGTH, BLOCK):
        while slots := [slot for slot in range(first, first + BLOCK) if ids[0, slot] == MASK]:
            hidden = backbone.hidden(ids, torch.arange(ids.shape[1])[None])
            probs = backbone.head(hidden)[0].double().softmax(-1).roll(backbone.shift, 0)
            forwards += 1
            probs[:, MASK] = -1
            sure = {slot: float(probs[slot].max()) for slot in slots}
            runs = [[slot for _, slot in run] for _, run in groupby(enumerate(slots), lambda item: item[1] - item[0])]
            tops = [max(run, key=lambda s: sure[s]) for run in runs]
            passed = {slot for slot in slots if sure[slot] > threshold}
            extra = {slot for slot in tops if sure[slot] > low} - passed
            gaps += len(extra) if passed or len(extra) > 1 else 0
            for slot in passed | extra or {max(sure, key=lambda s: sure[s])}:
                ids[0, slot] = int(probs[slot].argmax())
    return ids[0, start:].tolist(), forwards, gaps


@pytest.mark.parametrize("kind", ["Dream", "llada"])
@pytest.mark.parametrize(("threshold", "low"), [(0.5, 0.2), (0.4, 0.15), (0.3, 0.3)])
def test_as_described(kind: str, threshold: float, low: float) -> None:
    backbone = model(kind)
    decoder = METHOD.build(
        METHOD.settings({"block_size": BLOCK, "threshold": threshold, "low_threshold": low}), backbone.arch
    )
    prompts = [[3, 1, 4], [1, 5, 9, 2, 6, 5, 3, 5, 8], list(range(25))]
    results = {r.index: r for r in decode(backbone, [Request(p, LENGTH, decoder) for p in prompts], batch_size=2)}
    wanted = [plainly(backbone, p, threshold, low) for p in prompts]
    assert [(results[i].output_ids, results[i].total_forwards) for i in range(3)] == [one[:2] for one in wanted]
    assert threshold == low or sum(one[2] for one in wanted), "no gap let a slot pass: the test would be empty"
