"""From a config to transformers' module: Llama, Qwen2 or Qwen3, made bidirectional where the architecture is."""

from __future__ import annotations

from typing import Any

import torch

from methods.backbones.config import ModelConfig
from methods.errors import MethodsError

ATTENTION = ("sdpa", "eager", "flash_attention_2")


def library_config(config: ModelConfig, attention: str = "sdpa") -> Any:
    """transformers' config of the same model; `is_causal` false (read on every forward) unless the model is causal."""
    from transformers import LlamaConfig, Qwen2Config, Qwen3Config

    keys: dict[str, Any] = {
        "vocab_size": config.vocab,
        "hidden_size": config.hidden,
        "intermediate_size": config.mlp,
        "num_hidden_layers": config.layers,
        "num_attention_heads": config.heads,
        "num_key_value_heads": config.kv_heads,
        "max_position_embeddings": config.positions,
        "rms_norm_eps": config.eps,
        "tie_word_embeddings": config.tied,
        "rope_parameters": {"rope_type": "default", **(config.rope or {}), "rope_theta": config.theta},
        "bos_token_id": None,
        "eos_token_id": None,
        "pad_token_id": None,
    }
    made: Any
    if config.family == "llama":
        made = LlamaConfig(**keys, head_dim=config.head_dim, attention_bias=config.out_bias)
    elif config.family == "qwen2":
        made = Qwen2Config(**keys)
    else:
        made = Qwen3Config(**keys, head_dim=config.head_dim, attention_bias=config.out_bias)
    made.is_causal = config.causal
    made.use_cache = False
    made._attn_implementation = attention
    return made


def build_model(config: ModelConfig, attention: str = "sdpa") -> Any:
    """The module with random weights on the current default device (use `torch.device("meta")` for none).

    Raises MethodsError when transformers refuses what the config asks for.
    """
    from transformers import LlamaForCausalLM, Qwen2ForCausalLM, Qwen3ForCausalLM

    kinds = {"llama": LlamaForCausalLM, "qwen2": Qwen2ForCausalLM, "qwen3": Qwen3ForCausalLM}
    try:
        model = kinds[config.family](library_config(config, attention))
    except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError) as error:  # from a rope_scaling
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise MethodsError(f"transformers cannot build this {config.arch} model from config.json: {first}") from None
    return set_direction(model, config)


def set_direction(model: Any, config: ModelConfig) -> Any:
    """Write the attention's direction where either of transformers' two readers looks: the config and the layers."""
    model.config.is_causal = config.causal
    for module in model.modules():
        if hasattr(module, "is_causal"):
            module.is_causal = config.causal
    return model


def refresh_buffers(model: Any, device: torch.device | str) -> None:
    """Make the rotary tables again: they are in no checkpoint, and a module built on `meta` has none."""
    rotary = model.model.rotary_emb
    with torch.device(device):
        model.model.rotary_emb = type(rotary)(model.config)


@torch.no_grad()
def leak(model: Any, vocab: int) -> float:
    """How much the LAST token moves the EARLIER hidden states, relative to their size (0 for causal attention)."""
    trunk = model.model
    device = trunk.embed_tokens.weight.device
    ids = torch.arange(2, 10, device=device)[None] % vocab
    other = ids.clone()
    other[0, -1] = 1 % vocab
    before, after = (trunk(input_ids=x, use_cache=False).last_hidden_state.float() for x in (ids, other))
    scale = before.abs().max().clamp_min(1e-12)
    return float((before - after)[:, :-1].abs().max() / scale)


def check_direction(model: Any, config: ModelConfig, where: str) -> float:
    """The leak test: bidirectional attention must leak, causal must not. Returns the leak.

    Raises MethodsError: a wrong direction gives plausible and worthless numbers.
    """
    was = model.training
    value = leak(model.eval(), config.vocab)
    model.train(was)
    if not value == value:
        raise MethodsError(
            f"{where}: the weights give NaN on a test forward; the file is damaged or the dtype too small."
        )
    if (value > 1e-6) == config.causal:
        kind = "causal" if config.causal else "bidirectional"
        raise MethodsError(
            f"{where}: attention is not {kind} (a changed last token moved earlier states by {value:.1e}); "
            "this transformers version does not honour config.is_causal, install the version in constraints.txt."
        )
    return value
