"""The sizes of a transformer, from its `config.json`: architecture, sizes, and which values are allowed.

No torch here: `harness doctor` estimates memory from this before anything is downloaded.
Config keys follow the published files: GSAI-ML/LLaDA-8B-Instruct (`d_model`, `n_layers`, ...),
Dream-org/Dream-v0-Instruct-7B (Qwen2's keys), dllm-hub's a2d models and transformers' Qwen2, Qwen3 and Llama.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from methods.backbones.config_values import flag, number, whole
from methods.backbones.safetensors_header import shown
from methods.errors import MethodsError

# model_type in config.json -> (our architecture, transformers family)
ARCHITECTURES: dict[str, tuple[str, str]] = {
    "llada": ("llada", "llama"),
    "dream": ("dream", "qwen2"),
    "a2d-qwen2": ("a2d", "qwen2"),
    "a2d-qwen3": ("a2d", "qwen3"),
    "a2d-llama": ("a2d", "llama"),
    "qwen2": ("ar", "qwen2"),
    "qwen3": ("ar", "qwen3"),
    "llama": ("ar", "llama"),
    "fast_dllm_qwen": ("block", "qwen2"),  # Efficient-Large-Model/Fast_dLLM_v2_7B
    "fast_dllm_qwen3": ("block", "qwen3"),  # the two below are our own names for the same on other families
    "fast_dllm_llama": ("block", "llama"),
}
SHIFT = {"llada": 0, "a2d": 0, "dream": 1, "ar": 1, "block": 1}
BLOCK_TYPES = {"qwen2": "Fast_dLLM_Qwen", "qwen3": "Fast_dLLM_Qwen3", "llama": "Fast_dLLM_Llama"}


@dataclass(frozen=True)
class ModelConfig:
    """Sizes of one transformer. `arch` is llada, dream, a2d, block or ar; `family` is llama, qwen2 or qwen3.

    vocab: rows of the embedding and of the head. tied: the head is the embedding.
    qkv_bias: biases on q, k, v. out_bias: a bias on the attention output too.
    hub: the config as it was read, so that saving writes it back.
    """

    arch: str
    family: str
    vocab: int
    hidden: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    mlp: int
    positions: int
    eps: float
    theta: float
    tied: bool
    qkv_bias: bool
    out_bias: bool
    rope: Mapping[str, Any] | None
    hub: Mapping[str, Any] = field(repr=False)

    @property
    def shift(self) -> int:
        """0 when row i of the logits scores token i, 1 when row i - 1 does."""
        return SHIFT[self.arch]

    @property
    def causal(self) -> bool:
        """True for autoregressive backbones."""
        return self.arch == "ar"

    def as_block(self) -> ModelConfig:
        """The same transformer after its training to decode blocks by diffusion (Fast-dLLM v2).

        Its attention is whatever mask the decoder gives it, its alignment stays that of the autoregressive model.
        """
        name = BLOCK_TYPES[self.family]
        hub = {**self.hub, "model_type": name, "architectures": [f"{name}ForCausalLM"]}
        return replace(self, arch="block", hub=hub)


def model_config(config: Mapping[str, Any], where: str = "config.json") -> ModelConfig:
    """The model that a hub config describes. Raises MethodsError naming `where` and the key that does not fit."""
    kind = str(config.get("model_type", "")).lower().removeprefix("tiny-")
    if kind not in ARCHITECTURES:
        found = config.get("model_type") or config.get("architectures") or "nothing"
        raise MethodsError(
            f"{where}: model_type {shown(ascii(found))} is not one this harness can load; "
            f"it knows {', '.join(ARCHITECTURES)}."
        )
    arch, family = ARCHITECTURES[kind]
    return _checked(_llada(config, where) if arch == "llada" else _qwen_like(config, arch, family, where), where)


# no transformer is larger; a damaged number would otherwise cost minutes before the files contradict it
MOST = {"layers": 10_000, "positions": 2**31}


def _checked(config: ModelConfig, where: str) -> ModelConfig:
    """`config`, whose heads share out its channels as attention and RoPE need. Raises MethodsError if they do not."""
    if config.heads % config.kv_heads:
        raise MethodsError(f"{where}: {config.heads} attention heads cannot share {config.kv_heads} key/value heads.")
    if config.head_dim < 2 or config.head_dim % 2:
        raise MethodsError(f"{where}: a head of {config.head_dim} channels has no rotary embedding; it must be even.")
    return config


# what LLaDA's modelling code can vary and the published checkpoints do not; anything else is refused, never guessed
_LLADA_FIXED: dict[str, tuple[Any, ...]] = {
    "activation_type": ("silu",),
    "alibi": (False,),
    "attention_layer_norm": (False,),
    "bias_for_layer_norm": (False, None),
    "block_group_size": (1,),
    "block_type": ("llama",),
    "clip_qkv": (None,),
    "include_bias": (False,),
    "input_emb_norm": (False,),
    "layer_norm_type": ("rms",),
    "rope": (True,),
    "scale_logits": (False,),
}


def _llada(config: Mapping[str, Any], where: str) -> ModelConfig:
    for key, allowed in _LLADA_FIXED.items():
        if config.get(key, allowed[0]) not in allowed:
            raise MethodsError(f"{where}: {key}={shown(ascii(config[key]))} is not supported (only {allowed[0]!r}).")
    if config.get("include_qkv_bias"):
        raise MethodsError(
            f"{where}: include_qkv_bias=true is not supported; published LLaDA checkpoints have no biases."
        )
    hidden, heads = whole(config, "d_model", where), whole(config, "n_heads", where)
    kv_heads = 1 if flag(config, "multi_query_attention", where) else heads
    mlp = config.get("mlp_hidden_size") or whole(config, "mlp_ratio", where) * hidden
    return ModelConfig(
        arch="llada",
        family="llama",
        vocab=whole(config, "embedding_size" if config.get("embedding_size") else "vocab_size", where),
        hidden=hidden,
        layers=whole(config, "n_layers", where, high=MOST["layers"]),
        heads=heads,
        kv_heads=whole(config, "n_kv_heads", where, kv_heads),
        head_dim=hidden // heads,
        mlp=whole({"mlp_hidden_size": mlp}, "mlp_hidden_size", where),
        positions=whole(config, "max_sequence_length", where, high=MOST["positions"]),
        eps=number(config, "rms_norm_eps", where, 1e-5),
        theta=number(config, "rope_theta", where, 10000.0),
        tied=flag(config, "weight_tying", where),
        qkv_bias=False,
        out_bias=False,
        rope=None,
        hub=dict(config),
    )


def _qwen_like(config: Mapping[str, Any], arch: str, family: str, where: str) -> ModelConfig:
    hidden, heads = whole(config, "hidden_size", where), whole(config, "num_attention_heads", where)
    rope = config.get("rope_parameters") or config.get("rope_scaling") or {}
    if not isinstance(rope, Mapping):
        raise MethodsError(f"{where}: rope_parameters and rope_scaling must be tables, not {shown(ascii(rope))}.")
    theta = number(rope, "rope_theta", where, number(config, "rope_theta", where, 10000.0))
    rope = {key: value for key, value in rope.items() if key != "rope_theta"}
    kind = rope.get("rope_type", rope.pop("type", "default"))
    rope["rope_type"] = kind  # older configs have `type`, which transformers does not look at beside a `rope_type`
    bias = flag(config, "attention_bias", where)
    return ModelConfig(
        arch=arch,
        family=family,
        vocab=whole(config, "vocab_size", where),
        hidden=hidden,
        layers=whole(config, "num_hidden_layers", where, high=MOST["layers"]),
        heads=heads,
        kv_heads=whole(config, "num_key_value_heads", where, heads),
        head_dim=whole(config, "head_dim", where, hidden // heads),
        mlp=whole(config, "intermediate_size", where),
        positions=whole(config, "max_position_embeddings", where, high=MOST["positions"]),
        eps=number(config, "rms_norm_eps", where, 1e-6),
        theta=theta,
        tied=flag(config, "tie_word_embeddings", where),
        qkv_bias=family == "qwen2" or bias,
        out_bias=family != "qwen2" and bias,
        rope=None if kind == "default" else rope,
        hub=dict(config),
    )
