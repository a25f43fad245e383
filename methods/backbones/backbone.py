"""One forward interface over transformers' Llama, Qwen2 and Qwen3, causal or bidirectional.

The engine asks for a window of tokens at absolute positions; the store holds what earlier windows left.
Logits are never shifted here: the caller reads row `i - shift` for token `i`.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from methods.backbones.build import set_direction
from methods.backbones.config import ModelConfig
from methods.backbones.files import tokenizer_fingerprint
from methods.backbones.kv_store import KVStore
from methods.backbones.special import Special
from methods.errors import MethodsError


class Backbone:
    """A transformer, its special ids and its tokenizer.

    arch: llada | dream | a2d (bidirectional, no shift) | block (an AR model trained to fill blocks) | ar.
    shift: 0 when row i scores token i, else 1.
    model: transformers' `...ForCausalLM`, weights frozen (`model.requires_grad_(True)` to train).
    tokenizer: None when the checkpoint holds none. fingerprint: hash of the weights' content and the config;
    tokenizer_fingerprint: of the files beside them that decide prompts and stopping, "" without any.
    packed: `int8` or `nf4` when the weights are quantised, else None: `dtype` is then what they are computed in.
    compiled, grain: whether `compile` was called; the engine widens its windows to multiples of `grain` positions.
    """

    def __init__(
        self,
        config: ModelConfig,
        model: Any,
        special: Special,
        *,
        tokenizer: Any = None,
        fingerprint: str = "",
        folder: Path | None = None,
        notes: tuple[str, ...] = (),
    ) -> None:
        self.config, self.model, self.special = config, model, special
        self.tokenizer, self.fingerprint, self.folder, self.notes = tokenizer, fingerprint, folder, notes
        self.tokenizer_fingerprint = "" if folder is None else tokenizer_fingerprint(folder)
        self.arch, self.shift, self.causal = config.arch, config.shift, config.causal
        self.vocab_size, self.max_positions = config.vocab, config.positions
        self._head, trunk = model.lm_head, model.model
        self._embed, self._layers = trunk.embed_tokens, list(trunk.layers)
        self._rotary, self._norm = trunk.rotary_emb, trunk.norm
        self.compiled, self.grain = False, 1
        self.packed: str | None = getattr(trunk, "packed", None)
        self._run = self._through
        self._eager = model.config._attn_implementation == "eager"
        self._flash = model.config._attn_implementation == "flash_attention_2"

    @property
    def device(self) -> torch.device:
        """Where the embedding is, and so where ids go."""
        return self._embed.weight.device

    @property
    def dtype(self) -> torch.dtype:
        """The compute dtype (of the final norm: quantised weights have none of their own)."""
        return self._norm.weight.dtype

    def turn_block(self, mask: int) -> None:
        """Make an autoregressive backbone a block diffusion one with this mask id; the weights stay as they are."""
        self.config, self.special = self.config.as_block(), replace(self.special, mask=mask)
        self.arch, self.shift, self.causal = self.config.arch, self.config.shift, self.config.causal
        set_direction(self.model, self.config)

    def compile(self) -> None:
        """Compile the layers with torch.compile: rounding may differ, nothing else.

        On CUDA in the mode `reduce-overhead`, which replays a CUDA graph for every shape met before; windows are
        widened to a multiple of 32 positions so that there are few. On a CPU shapes stay as they are. The result of
        a forward pass is then only valid until the next one. The first forward pass includes the compilation.
        """
        cuda = self.device.type == "cuda"
        self._run = torch.compile(self._through, dynamic=True, mode="reduce-overhead" if cuda else None)
        self.compiled, self.grain = True, 32 if cuda else 1

    def new_store(self, rows: int, slots: int) -> KVStore:
        """An empty store for `rows` sequences of `slots` slots."""
        size = (rows, self.config.kv_heads, slots, self.config.head_dim)
        return KVStore(self.config.layers, size, self.dtype, self.device)

    def hidden(
        self,
        ids: Tensor,
        positions: Tensor,
        *,
        store: KVStore | None = None,
        slots: Tensor | slice | None = None,
        readable: Tensor | None = None,
    ) -> Tensor:
        """One forward on a window; the final-norm hidden states `[B, W, D]`.

        ids, positions: `[B, W]`; positions are absolute and drive RoPE. readable: bool, what the window may
        attend to, None for everything. Without a store that is the window itself, `[B, W]` or `[B, W, W]`.
        With one, the window's keys and values are first written at `slots` (`[B, W]`, or a slice shared by
        all rows; default `positions`), then the store's slots are read: `[B, S]` or `[B, W, S]`. A causal
        backbone never reads a slot behind the query's own. Every query needs something readable.
        """
        mask = readable
        if mask is not None and store is None and mask.device.type == "cpu" and bool(mask.all()):
            mask = None  # faster; not asked on a GPU, where the answer would wait for all that is queued
        if store is not None:
            store.aim(positions if slots is None else slots)
        if self.causal and (self._eager or store is not None or mask is not None):
            mask = self._causal(mask, positions, store, slots)
        attention = None if mask is None else self._four(mask, self.dtype)
        causal = self.causal and mask is None  # SDPA and flash-attn mask by this flag alone
        if self._flash:  # flash-attn takes no 4-D mask: SDPA serves the windows that need one
            self.model.config._attn_implementation = "flash_attention_2" if mask is None else "sdpa"
        return self._run(ids, positions, attention, store, causal)

    def _through(
        self, ids: Tensor, positions: Tensor, attention: Tensor | None, store: KVStore | None, causal: bool
    ) -> Tensor:
        """Embedding, layers and final norm."""
        state = self._embed(ids)
        rope = self._rotary(state, positions)
        for layer in self._layers:
            state = layer(
                state,
                attention_mask=attention,
                past_key_values=store,
                position_embeddings=rope,
                is_causal=causal,
            )
        return self._norm(state)

    def head(self, hidden: Tensor) -> Tensor:
        """Logits `[..., vocab_size]` in the model's dtype, not shifted."""
        return self._head(hidden)

    def _causal(
        self, mask: Tensor | None, positions: Tensor, store: KVStore | None, slots: Tensor | slice | None
    ) -> Tensor:
        """`mask` with everything behind each query hidden, `[B, W, S]`."""
        if store is None:
            mine = torch.arange(positions.shape[1], device=positions.device)[None]
            keys = mine
        else:
            keys = torch.arange(store.slots, device=positions.device)[None]
            mine = positions if slots is None else keys[:, slots] if isinstance(slots, slice) else slots
        behind = keys[:, None, :] <= mine[:, :, None]
        if mask is None:
            return behind
        return behind & (mask if mask.dim() == 3 else mask[:, None, :])

    def _four(self, mask: Tensor, dtype: torch.dtype) -> Tensor:
        """The 4-D mask of the attention backend: bool for SDPA, additive for eager."""
        if mask.dim() not in (2, 3):
            raise MethodsError(f"readable must have 2 or 3 dimensions, not {mask.dim()}.")
        four = mask[:, None, None, :] if mask.dim() == 2 else mask[:, None]
        if not self._eager:
            return four
        return torch.zeros(four.shape, dtype=dtype, device=four.device).masked_fill_(~four, torch.finfo(dtype).min)
