"""Pretraining of the mini models from nothing: a masked diffusion model and an autoregressive one.

The trainer is a plain loop that can be killed at any moment: data depend on the step alone, and weights, optimizer
state and step are saved together. Matrices are trained with Muon, embeddings, head and norms with AdamW
(`torch.optim`), which `docs/training.md` compares.
"""

from __future__ import annotations

import math
import os
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import LlamaConfig, LlamaForCausalLM

from methods.distill.pretrain_data import Batch, Draw, batches, random_mask
from methods.errors import MethodsError


@dataclass(frozen=True)
class PretrainConfig:
    """One pretraining: shape, data and schedule. `kind` is "diffusion" or "ar"; lengths are in tokens.

    init: fingerprint of the checkpoint whose weights it starts from, "" = random ones.
    """

    kind: str = "diffusion"
    hidden: int = 192
    layers: int = 4
    heads: int = 4
    mlp: int = 512
    vocab: int = 768
    context: int = 1024
    gen_length: int = 96
    block: int = 16
    block_share: float = 0.5
    steps: int = 4500
    batch: int = 48
    parts: int = 2
    drill_share: float = 0.2
    decided_share: float = 0.5
    lr_matrix: float = 0.004
    lr_other: float = 0.002
    warmup: int = 100
    decay: float = 0.4
    init: str = ""
    seed: int = 0
    bf16: bool = True
    compile: bool = True

    def lr_scale(self, step: int) -> float:
        """The share of the peak learning rate at `step`: linear warm-up, constant, linear decay over the last part."""
        start = int(self.steps * (1 - self.decay))
        fall = (self.steps - step) / max(1, self.steps - start)
        return min(1.0, (step + 1) / self.warmup, max(fall, 0.0))


def new_model(config: PretrainConfig, eos: int, pad: int) -> LlamaForCausalLM:
    """A randomly initialised model of the LLaDA architecture (bidirectional Llama), or a causal one for `ar`."""
    torch.manual_seed(config.seed)
    shape = LlamaConfig(
        vocab_size=config.vocab,
        hidden_size=config.hidden,
        intermediate_size=config.mlp,
        num_hidden_layers=config.layers,
        num_attention_heads=config.heads,
        num_key_value_heads=config.heads,
        max_position_embeddings=config.context,
        rms_norm_eps=1e-5,
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
        tie_word_embeddings=False,
        eos_token_id=eos,
        pad_token_id=pad,
        bos_token_id=None,
    )
    shape.is_causal = config.kind == "ar"
    model = LlamaForCausalLM(shape)
    # the fused CPU attention has a slow backward: plain attention trained 2.5 times faster here
    model.set_attn_implementation("eager")
    return model


def diffusion_loss(
    body: nn.Module, head: nn.Module, batch: Batch, mask_id: int, masked: Tensor, weight: Tensor
) -> Tensor:
    """Masked cross-entropy, Σ weight · CE over masked slots / Σ batch.weight; the head sees masked slots only."""
    noisy = torch.where(masked, mask_id, batch.ids)
    hidden = body(input_ids=noisy, use_cache=False).last_hidden_state[masked]
    loss = F.cross_entropy(head(hidden).float(), batch.ids[masked], reduction="none")
    return (loss * weight[masked]).sum() / batch.weight.sum()


def ar_loss(body: nn.Module, head: nn.Module, batch: Batch) -> Tensor:
    """Next-token cross-entropy over the answer and its first EOS."""
    hidden = body(input_ids=batch.ids, use_cache=False).last_hidden_state[:, :-1]
    target = batch.weight[:, 1:] == 1.0
    return F.cross_entropy(head(hidden[target]).float(), batch.ids[:, 1:][target])


class Optimizers:
    """Muon for the layers' matrices, AdamW for everything else; one learning-rate scale for both."""

    def __init__(self, model: nn.Module, config: PretrainConfig) -> None:
        inner = [p for name, p in model.named_parameters() if p.ndim == 2 and ".layers." in name]
        ids = {id(p) for p in inner}
        outer = [p for p in model.parameters() if id(p) not in ids]
        self.muon = torch.optim.Muon(inner, lr=config.lr_matrix, momentum=0.95, weight_decay=0.01)
        self.adam = torch.optim.AdamW(outer, lr=config.lr_other, betas=(0.9, 0.98), weight_decay=0.01, fused=True)
        self.peaks = (config.lr_matrix, config.lr_other)

    def step(self, scale: float) -> None:
        """One update of both at `scale` of their peak learning rates, then clear the gradients."""
        for optimizer, peak in zip((self.muon, self.adam), self.peaks, strict=True):
            for group in optimizer.param_groups:
                group["lr"] = peak * scale
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)

    def state_dict(self) -> dict[str, Any]:
        """Both states."""
        return {"muon": self.muon.state_dict(), "adam": self.adam.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore both states."""
        self.muon.load_state_dict(state["muon"])
        self.adam.load_state_dict(state["adam"])


def save_state(path: Path, step: int, model: nn.Module, optimizers: Optimizers, record: dict[str, Any]) -> None:
    """Write a resumable state so that a kill at any moment leaves the old one or the new one."""
    fresh = path.with_suffix(".new")
    torch.save({"step": step, "model": model.state_dict(), "optim": optimizers.state_dict(), "record": record}, fresh)
    os.replace(fresh, path)


def pretrain(
    config: PretrainConfig,
    draw: Draw,
    special: dict[str, int],
    folder: Path,
    *,
    weights: Mapping[str, Tensor] | None = None,
    on_step: Callable[[int, float, float], None] | None = None,
    save_every: int = 200,
) -> tuple[LlamaForCausalLM, dict[str, Any]]:
    """Train (or go on training) in `folder`; returns the model and a record of loss curve, tokens and seconds.

    draw: gives one example (prompt ids, answer ids) of the training split. special: ids of `eos`, `mask`, `pad`.
    weights: what the model starts from, such as those of an autoregressive model of the same shape (Dream and
    DiffuLLaMA start so): copying and arithmetic are there already.
    on_step(step, loss, canvas tokens per second) is called after every step.
    Raises MethodsError when loss or gradient is not finite (naming the step) or `folder` holds another configuration.
    """
    folder.mkdir(parents=True, exist_ok=True)
    model = new_model(config, special["eos"], special["pad"])
    if weights is not None:
        model.load_state_dict(weights)
    optimizers = Optimizers(model, config)
    record: dict[str, Any] = {"config": asdict(config), "losses": [], "tokens": 0, "seconds": 0.0}
    first, state_file = 0, folder / "state.pt"
    if state_file.exists():
        state = torch.load(state_file, weights_only=True)
        if state["record"]["config"] != record["config"]:
            raise MethodsError(f"{folder} holds a pretraining with another configuration; choose another folder.")
        model.load_state_dict(state["model"])
        optimizers.load_state_dict(state["optim"])
        first, record = state["step"], state["record"]
    model.train()
    body: Any = torch.compile(model.model, dynamic=True) if config.compile else model.model
    for step in range(first, config.steps):
        began = time.perf_counter()
        loss, tokens = train_step(model, body, config, draw, special, step)
        norm = float(nn.utils.clip_grad_norm_(model.parameters(), 1.0))
        if not (math.isfinite(loss) and math.isfinite(norm)):
            good = f"the last good state is {state_file}" if state_file.exists() else "no state was stored before"
            raise MethodsError(f"The loss is {loss} and the gradient's norm {norm} at step {step}; {good}.")
        optimizers.step(config.lr_scale(step))
        took = time.perf_counter() - began
        record["tokens"] += tokens
        record["seconds"] += took
        if step % 20 == 0 or step == config.steps - 1:
            record["losses"].append([step, round(loss, 4)])
        if on_step:
            on_step(step, loss, tokens / took)
        if (step + 1) % save_every == 0 or step + 1 == config.steps:
            save_state(state_file, step + 1, model, optimizers, record)
    return model.eval(), record


def train_step(
    model: LlamaForCausalLM, body: nn.Module, config: PretrainConfig, draw: Draw, special: dict[str, int], step: int
) -> tuple[float, int]:
    """Accumulate the gradients of one step's batches; returns the mean loss and the canvas tokens seen."""
    rng = random.Random(f"{config.seed}/{config.kind}/{step}")
    noise = torch.Generator().manual_seed(rng.getrandbits(48))
    parts = batches(draw, rng, config.batch, config.parts, config.gen_length, special["eos"])
    total, tokens = 0.0, 0
    for batch in parts:
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=config.bf16):
            if config.kind == "ar":
                loss = ar_loss(body, model.lm_head, batch)
            else:
                masked, weight = random_mask(batch, config.block, config.block_share, config.decided_share, noise)
                loss = diffusion_loss(body, model.lm_head, batch, special["mask"], masked, weight)
        (loss / len(parts)).backward()
        total += float(loss.detach()) / len(parts)
        tokens += batch.ids.numel()
    return total, tokens
