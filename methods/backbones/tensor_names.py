"""Tensor names: what a checkpoint calls a weight, what transformers' module calls it, and every shape expected.

LLaDA's published files name the parts of a LLaMA block in their own way (`ff_proj` is the gate, `ff_out` the
down projection, `attn_out` the output projection); all others already use transformers' names. No torch here.
"""

from __future__ import annotations

import re

from methods.backbones.config import ModelConfig

# LLaDA's name -> transformers', inside a block and outside
LLADA_BLOCK = {
    "q_proj": "self_attn.q_proj",
    "k_proj": "self_attn.k_proj",
    "v_proj": "self_attn.v_proj",
    "attn_out": "self_attn.o_proj",
    "ff_proj": "mlp.gate_proj",
    "up_proj": "mlp.up_proj",
    "ff_out": "mlp.down_proj",
    "attn_norm": "input_layernorm",
    "ff_norm": "post_attention_layernorm",
}
LLADA_TOP = {"wte": "model.embed_tokens", "ln_f": "model.norm", "ff_out": "lm_head"}
_BACK_BLOCK = {ours: hub for hub, ours in LLADA_BLOCK.items()}
_BACK_TOP = {ours: hub for hub, ours in LLADA_TOP.items()}
_HUB = re.compile(r"^(?:model\.)?transformer\.(?:blocks\.(\d+)\.)?(\w+)(.*)$")
_OURS = re.compile(r"^model\.layers\.(\d+)\.(\w+(?:\.\w+_proj)?)(.*)$")


def to_module(name: str, arch: str) -> str | None:
    """transformers' name of the checkpoint tensor `name`; None when the architecture has no such tensor.

    Handles a bare module path too (`...blocks.3.ff_out`), which is how adapters name their targets.
    """
    if arch != "llada":
        return name if name.startswith(("model.", "lm_head")) else None
    match = _HUB.match(name)
    if not match:
        return None
    layer, part, rest = match.groups()
    if layer is None:
        return LLADA_TOP[part] + rest if part in LLADA_TOP else None
    return f"model.layers.{layer}.{LLADA_BLOCK[part]}{rest}" if part in LLADA_BLOCK else None


def to_hub(name: str, arch: str) -> str:
    """The published name of transformers' tensor `name`: the inverse of `to_module`."""
    if arch != "llada":
        return name
    match = _OURS.match(name)
    if match and match[2] in _BACK_BLOCK:
        return f"model.transformer.blocks.{match[1]}.{_BACK_BLOCK[match[2]]}{match[3]}"
    stem, _, leaf = name.rpartition(".")
    if stem in _BACK_TOP:
        return f"model.transformer.{_BACK_TOP[stem]}.{leaf}"
    raise KeyError(name)


def expected(config: ModelConfig) -> dict[str, tuple[int, ...]]:
    """Every tensor of the model under transformers' names, with its shape; a tied head is not listed."""
    q, kv, wide = config.heads * config.head_dim, config.kv_heads * config.head_dim, config.hidden
    block: dict[str, tuple[int, ...]] = {
        "self_attn.q_proj.weight": (q, wide),
        "self_attn.k_proj.weight": (kv, wide),
        "self_attn.v_proj.weight": (kv, wide),
        "self_attn.o_proj.weight": (wide, q),
        "mlp.gate_proj.weight": (config.mlp, wide),
        "mlp.up_proj.weight": (config.mlp, wide),
        "mlp.down_proj.weight": (wide, config.mlp),
        "input_layernorm.weight": (wide,),
        "post_attention_layernorm.weight": (wide,),
    }
    if config.qkv_bias:
        block |= {f"self_attn.{part}.bias": (size,) for part, size in (("q_proj", q), ("k_proj", kv), ("v_proj", kv))}
    if config.out_bias:
        block["self_attn.o_proj.bias"] = (wide,)
    if config.family == "qwen3":
        block |= {f"self_attn.{part}.weight": (config.head_dim,) for part in ("q_norm", "k_norm")}
    tensors = {f"model.layers.{n}.{part}": size for n in range(config.layers) for part, size in block.items()}
    tensors["model.embed_tokens.weight"] = (config.vocab, wide)
    tensors["model.norm.weight"] = (wide,)
    if not config.tied:
        tensors["lm_head.weight"] = (config.vocab, wide)
    return tensors
