"""Rotary scaling: what a config asks for is what the model turns by, whichever key names the kind."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from methods.backbones import create
from tests.backbones.tiny import QWEN2

SCALINGS = [
    {"type": "linear", "factor": 4.0},
    {"rope_type": "linear", "factor": 4.0},
    {"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32},
    {"type": "default"},
]


@pytest.mark.parametrize("scaling", SCALINGS, ids=str)
def test_frequencies_are_transformers_own(scaling: dict[str, Any]) -> None:
    from transformers import Qwen2Config
    from transformers.models.qwen2.modeling_qwen2 import Qwen2RotaryEmbedding

    kind = scaling.get("rope_type") or scaling["type"]
    clean = {key: value for key, value in scaling.items() if key != "type"} | {"rope_type": kind}
    sizes = {key: QWEN2[key] for key in ("hidden_size", "num_attention_heads", "max_position_embeddings")}
    wanted = Qwen2RotaryEmbedding(Qwen2Config(**sizes, rope_parameters={**clean, "rope_theta": QWEN2["rope_theta"]}))
    found = create({**QWEN2, "rope_scaling": scaling}, 1).model.model.rotary_emb
    assert torch.equal(found.inv_freq, wanted.inv_freq)
    assert found.attention_scaling == wanted.attention_scaling
    plain = create(QWEN2, 1).model.model.rotary_emb.inv_freq
    assert torch.equal(found.inv_freq, plain) == (kind == "default")
