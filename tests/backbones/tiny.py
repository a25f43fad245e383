"""Tiny hub-style configs and folders for the backbones' tests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

DATA = Path(__file__).parent.parent / "data"
GOLDEN = DATA / "golden"

LLADA: dict[str, Any] = {
    "model_type": "llada",
    "architectures": ["LLaDAModelLM"],
    "d_model": 32,
    "n_heads": 4,
    "n_kv_heads": 4,
    "n_layers": 2,
    "mlp_hidden_size": 48,
    "embedding_size": 64,
    "vocab_size": 64,
    "max_sequence_length": 128,
    "rms_norm_eps": 1e-5,
    "rope_theta": 500000.0,
    "mask_token_id": 60,
    "eos_token_id": 61,
    "pad_token_id": 62,
    "weight_tying": False,
}
_COMMON: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 64,
    "max_position_embeddings": 128,
    "rms_norm_eps": 1e-6,
    "rope_theta": 1000000.0,
    "eos_token_id": 61,
    "pad_token_id": 62,
}
DREAM = {**_COMMON, "model_type": "Dream", "mask_token_id": 60}
QWEN2 = {**_COMMON, "model_type": "qwen2"}
QWEN3 = {**_COMMON, "model_type": "qwen3", "head_dim": 16}
LLAMA = {**_COMMON, "model_type": "llama"}
A2D = {**_COMMON, "model_type": "a2d-qwen3", "head_dim": 16, "mask_token_id": 60, "tie_word_embeddings": True}
ALL = {"llada": LLADA, "dream": DREAM, "qwen2": QWEN2, "qwen3": QWEN3, "llama": LLAMA, "a2d": A2D}


def line(length: int, rows: int = 1, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Random ids `[rows, length]` and their positions 0, 1, ..."""
    maker = torch.Generator().manual_seed(seed)
    ids = torch.randint(0, 60, (rows, length), generator=maker)
    return ids, torch.arange(length).expand(rows, length)


def worst(got: Tensor, want: Tensor) -> float:
    """Largest difference relative to the largest wanted value."""
    got, want = got.detach(), want.detach()
    return float((got.double() - want.double()).abs().max() / want.double().abs().max())


def edit_json(path: Path, **changes: Any) -> None:
    """Change keys of a JSON file; None removes one."""
    value = json.loads(path.read_text())
    for key, new in changes.items():
        value.pop(key, None)
        if new is not None:
            value[key] = new
    path.write_text(json.dumps(value))
