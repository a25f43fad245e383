"""Tiny random backbones and shorthands for the decoding tests."""

from __future__ import annotations

from functools import cache
from typing import Any

import torch

from methods import registry
from methods.backbones import create
from methods.decoding import Request, Result, decode
from methods.reference.published import reference

torch.set_num_threads(1)
MASK, EOS, PAD, VOCAB = 47, 48, 49, 50
SIZE = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2}
CONFIGS: dict[str, dict[str, Any]] = {
    "llada": {
        "model_type": "llada",
        "d_model": 32,
        "mlp_hidden_size": 48,
        "n_layers": 2,
        "n_heads": 2,
        "n_kv_heads": 2,
        "max_sequence_length": 128,
        "rope_theta": 10000.0,
        "rms_norm_eps": 1e-5,
        "embedding_size": VOCAB,
        "weight_tying": False,
    },
    "dream": {"model_type": "Dream", "num_key_value_heads": 1, "max_position_embeddings": 128, **SIZE},
    "block": {"model_type": "Fast_dLLM_Qwen", "num_key_value_heads": 1, "max_position_embeddings": 128, **SIZE},
    "qwen2": {"model_type": "qwen2", "num_key_value_heads": 1, "max_position_embeddings": 128, **SIZE},
    "ar": {"model_type": "llama", "num_key_value_heads": 2, "max_position_embeddings": 128, **SIZE},
}
IDS = {"vocab_size": VOCAB, "mask_token_id": MASK, "eos_token_id": EOS, "pad_token_id": PAD}


@cache
def backbone(arch: str, seed: int = 0, sharp: float = 12.0) -> Any:
    """A random model whose head is scaled so that entropies spread from sure to unsure."""
    made = create({**CONFIGS[arch], **IDS}, seed)
    with torch.no_grad():
        made.model.lm_head.weight.mul_(sharp)
    return made


def run(model: Any, requests: list[Request], batch: int = 8) -> list[Result]:
    """Results in the order of the requests."""
    return sorted(decode(model, requests, batch_size=batch), key=lambda result: result.index)


def method(name: str, arch: str = "llada", fidelity: str = "fixed", **settings: Any) -> Any:
    """A method's decoder."""
    chosen = registry.get(name)
    return chosen.build(chosen.settings(settings), arch, fidelity)


def named(name: str, prompt: list[int], fidelity: str = "fixed", **settings: Any) -> Request:
    """A request for a published decoder."""
    made, length = reference(name, {**settings, "fidelity": fidelity})
    return Request(prompt, length, made)


def same(left: Result, right: Result) -> bool:
    """Equal in everything but the clock and the index."""
    keys = ("output_ids", "forwards", "nfe", "positions", "reveal_step", "revisions", "stop_reason")
    return all(getattr(left, key) == getattr(right, key) for key in keys)
