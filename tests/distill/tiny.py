"""Tiny random backbones and made-up trajectories for the trainer's tests."""

from __future__ import annotations

from typing import Any

import numpy as np

from methods.backbones import Backbone, create
from methods.distill.trajectory import Trajectory, ints

LLADA: dict[str, Any] = {
    "model_type": "llada",
    "d_model": 16,
    "n_heads": 2,
    "n_kv_heads": 2,
    "n_layers": 2,
    "mlp_hidden_size": 24,
    "vocab_size": 40,
    "embedding_size": 40,
    "max_sequence_length": 128,
    "rope_theta": 500000.0,
    "rms_norm_eps": 1e-5,
    "weight_tying": False,
    "mask_token_id": 37,
    "eos_token_id": 38,
    "pad_token_id": 38,
}
QWEN: dict[str, Any] = {
    "model_type": "qwen2",
    "hidden_size": 16,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "num_hidden_layers": 2,
    "intermediate_size": 24,
    "vocab_size": 40,
    "max_position_embeddings": 128,
    "rope_theta": 1000000.0,
    "rms_norm_eps": 1e-6,
    "tie_word_embeddings": False,
    "eos_token_id": 38,
    "pad_token_id": 39,
}


def backbone(arch: str = "llada", seed: int = 0) -> Backbone:
    """A random backbone of two layers: llada | dream | ar."""
    if arch == "llada":
        return create(LLADA, seed)
    if arch == "dream":
        return create(QWEN | {"model_type": "Dream", "mask_token_id": 37}, seed)
    return create(QWEN, seed)


def trajectories(n: int = 12, seed: int = 0, length: int = 16, eos: int = 38) -> list[Trajectory]:
    """Decodes of random answers in a random block-wise order, each with an EOS tail."""
    rng = np.random.default_rng(seed)
    made = []
    for number in range(n):
        prompt = rng.integers(0, 30, int(rng.integers(3, 8)))
        response = rng.integers(0, 30, length)
        response[int(rng.integers(6, length)) :] = eos
        reveal = np.concatenate([start + 1 + rng.permutation(8) for start in range(0, length, 8)])
        made.append(
            Trajectory(
                id=f"row{number}",
                task="toy",
                prompt=ints(prompt),
                teacher=ints(np.concatenate([[31, 32], prompt])),
                decoded=ints(prompt),
                response=ints(response),
                reveal=ints(reveal),
                correct=True,
            )
        )
    return made
