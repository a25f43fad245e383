"""The rule against the paper's description, written out for one row with nothing clever in it."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from dllm_klass import METHOD

from methods.backbones import create
from methods.decoding import Request, decode

MASK, VOCAB, BLOCK, LENGTH = 30, 32, 4, 16
DREAM = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2}
DREAM |= {"num_key_value_heads": 2, "max_position_embeddings": 128}
LLADA = {"d_model": 32, "mlp_hidden_size": 48, "n_layers": 2, "n_heads": 2, "n_kv_heads": 2, "embedding_size": VOCAB}
LLADA |= {"max_sequence_length": 128, "rope_theta": 10000.0, "rms_norm_eps": 1e-5, "weight_tying": False}
CONFIGS = {"Dream": DREAM, "llada": LLADA}
IDS = {"vocab_size": VOCAB, "mask_token_id": MASK, "eos_token_id": 31, "pad_token_id": 29}
SETTINGS = {"threshold": 0.2, "kl_threshold": 0.2, "block_size": BLOCK}


def model(kind: str) -> Any:
    """A random backbone, sharp enough that some slots are sure."""
    made = create({"model_type": kind, **CONFIGS[kind], **IDS}, 1)
    with torch.no_grad():
        made.model.lm_head.weight.mul_(12)
    return made


@torch.inference_mode()
def plainly(backbone: Any, prompt: list[int], threshold: float, bound: float, history: int) -> tuple[list[int], int]:
    """(tokens, forwards): whole canvas, every distribution kept, float64, one slot after the other."""
    start, ids = len(prompt), torch.tensor([[*prompt, *[MASK] * LENGTH]])
    before, still, forwards = None, [0] * ids.shape[1], 0
    for first in range(start, start + LENGTH, BLOCK):
        step = 0
        while slots := [slot for slot in range(first, first + BLOCK) if ids[0, slot] == MASK]:
            hidden = backbone.hidden(ids, torch.arange(ids.shape[1])[None])
            log = backbone.head(hidden)[0].double().log_softmax(-1).roll(backbone.shift, 0)
            forwards += 1
            for slot in range(start, ids.shape[1]):
                kl = None if before is None else float((log[slot].exp() * (log[slot] - before[slot])).sum())
                still[slot] = still[slot] + 1 if kl is not None and kl < bound else 0
            best = log.clone()
            best[:, MASK] = -torch.inf
            sure = {slot: float(best[slot].max().exp()) for slot in slots}
            chosen = [s for s in slots if step >= history - 1 and still[s] >= history and sure[s] > threshold]
            for slot in chosen or [max(sure, key=lambda s: sure[s])]:
                ids[0, slot] = int(best[slot].argmax())
            before, step = log, step + 1
    return ids[0, start:].tolist(), forwards


@pytest.mark.parametrize("kind", ["Dream", "llada"])
@pytest.mark.parametrize("history", [1, 2, 3])
def test_as_in_the_paper(kind: str, history: int) -> None:
    backbone = model(kind)
    decoder = METHOD.build(METHOD.settings({**SETTINGS, "history": history}), backbone.arch)
    prompts = [[3, 1, 4], [1, 5, 9, 2, 6, 5, 3, 5, 8], list(range(25))]
    results = {r.index: r for r in decode(backbone, [Request(p, LENGTH, decoder) for p in prompts], batch_size=2)}
    wanted = [plainly(backbone, p, SETTINGS["threshold"], SETTINGS["kl_threshold"], history) for p in prompts]
    assert [(results[i].output_ids, results[i].total_forwards) for i in range(3)] == wanted
    assert sum(forwards for _, forwards in wanted) < 3 * LENGTH, "nothing was ever still: the test would be empty"
