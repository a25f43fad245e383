"""Noise that depends on (seed, forward, position, token) and on nothing else.

A row's draws are then the same alone, in any batch and after any refill, which no stateful generator gives.
The mixer is the 32-bit finaliser of MurmurHash3 (public domain), run in int64 arithmetic.
"""

from __future__ import annotations

import torch
from torch import Tensor

_LOW = 0xFFFFFFFF


def _mix(value: Tensor) -> Tensor:
    """Scramble 32-bit integers held in int64."""
    value = value & _LOW
    value = ((value ^ (value >> 16)) * 0x7FEB352D) & _LOW
    value = ((value ^ (value >> 15)) * 0x846CA68B) & _LOW
    return value ^ (value >> 16)


def gumbel(seed: Tensor, step: Tensor, pos: Tensor, vocab: int) -> Tensor:
    """Standard Gumbel noise [N, vocab] (float64) for seed, step and pos [N].

    `(logits + gumbel(state.seed[row], state.forwards[row], pos, logits.shape[-1])).argmax(-1)` draws from the softmax
    of `logits` [N, vocab] in a scorer. A rule that needs one uniform number per slot takes vocab=1 and exp(-exp(-g)).
    """
    key = _mix(_mix(_mix(seed + 0x9E3779B9) + step) + pos)
    token = torch.arange(vocab, device=seed.device)[None]
    high = _mix(key[:, None] + _mix(token + 0x85EBCA6B))
    low = _mix(high + 0xC2B2AE35)
    uniform = (high.double() * 2.0**20 + (low >> 12) + 0.5) / 2.0**52  # exact: never 0, never 1
    return -torch.log(-torch.log(uniform))
