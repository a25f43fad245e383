"""Writes a mini model as a checkpoint: hub naming, float16 weights, tokenizer, and the manifest of its training."""

from __future__ import annotations

import json
import os
import platform
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from methods.backbones import create, save
from methods.distill.rate import matmul_rate

STORAGE = "float16"
LLAMA_KEYS = (
    "vocab_size",
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "num_key_value_heads",
    "max_position_embeddings",
    "rms_norm_eps",
    "tie_word_embeddings",
)


def hub_config(model: LlamaForCausalLM, special: dict[str, int], kind: str) -> dict[str, Any]:
    """The model's shape under the hub's keys: LLaDA's for `diffusion`, Llama's for `ar`."""
    c = model.config
    if kind == "ar":
        shape = {name: getattr(c, name) for name in LLAMA_KEYS}
        shape |= {"model_type": "llama", "architectures": ["LlamaForCausalLM"]}
    else:
        shape = {
            "model_type": "llada",
            "architectures": ["LLaDAModelLM"],
            "block_type": "llama",
            "activation_type": "silu",
            "layer_norm_type": "rms",
            "rope": True,
            "weight_tying": False,
            "include_bias": False,
            "d_model": c.hidden_size,
            "n_layers": c.num_hidden_layers,
            "n_heads": c.num_attention_heads,
            "n_kv_heads": c.num_key_value_heads,
            "mlp_hidden_size": c.intermediate_size,
            "vocab_size": c.vocab_size,
            "embedding_size": c.vocab_size,
            "max_sequence_length": c.max_position_embeddings,
            "rms_norm_eps": c.rms_norm_eps,
            "mask_token_id": special["mask"],
        }
    shape["rope_theta"] = dict(c.rope_parameters or {})["rope_theta"]
    return shape | {"eos_token_id": special["eos"], "pad_token_id": special["pad"]}


def manifest_of(model: LlamaForCausalLM, record: dict[str, Any]) -> dict[str, Any]:
    """What a reader should know of a training: configuration, curve, cost and machine. Units are in the key names."""
    parameters = sum(p.numel() for p in model.parameters())
    rate = 6 * parameters * record["tokens"] / max(record["seconds"], 1e-9)
    return {
        "parameters": parameters,
        "config": record["config"],
        "seed": record["config"]["seed"],
        "steps": record["config"]["steps"],
        "loss": record["losses"][-1][1],
        "loss_curve": record["losses"][:: max(1, len(record["losses"]) // 40)],
        "canvas_tokens": record["tokens"],
        "minutes": round(record["seconds"] / 60, 1),
        "tokens_per_second": round(record["tokens"] / max(record["seconds"], 1e-9)),
        "gflop_per_second": round(rate / 1e9, 1),
        "matmul_gflop_per_second": matmul_rate(record["config"]["bf16"]),
        "storage": STORAGE,
        "hardware": {"machine": platform.machine(), "cores": os.cpu_count(), "device": "cpu"},
        "versions": {"torch": torch.__version__, "transformers": transformers.__version__},
    }


def export_mini(
    model: LlamaForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    special: dict[str, int],
    kind: str,
    folder: Path,
    manifest: dict[str, Any],
) -> Path:
    """Write the checkpoint folder; its weights are rounded to float16, so later numbers are of what is stored."""
    backbone = create(hub_config(model, special, kind), seed=0)
    backbone.model.load_state_dict(model.state_dict())
    backbone.tokenizer = tokenizer
    save(backbone, folder, dtype=STORAGE)
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
    return folder
