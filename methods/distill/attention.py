"""Who may attend to whom while training: boolean masks `[B, L, L]`, True = may read (torch, any device).

Padding sits on the right; masks are made from lengths, never from `ids != pad`: where pad equals EOS (LLaDA), the
reference's mask also hides the EOS tokens that the model must learn to place.
"""

from __future__ import annotations

import torch
from torch import Tensor


def by_length(lengths: Tensor, width: int) -> Tensor:
    """`[B]` lengths -> `[B, width]`, True on real tokens."""
    return torch.arange(width, device=lengths.device)[None] < lengths[:, None]


def by_id(ids: Tensor, pad: int) -> Tensor:
    """compat: TAD's padding mask, True where the id is not the padding id (EOS tokens vanish where pad is EOS)."""
    return ids != pad


def blocks_of(prompt: Tensor, width: int, block: int, aligned: bool = False) -> Tensor:
    """`[B, width]` block numbers: the prompt is block 0 and the response is cut into blocks after it.

    aligned: blocks are counted from position 0 and the prompt has no block of its own (Fast-dLLM v2).
    """
    position = torch.arange(width, device=prompt.device)[None]
    if aligned:
        return (position // block).expand(prompt.shape[0], width)
    behind = position - prompt[:, None]
    return torch.where(behind < 0, 0, torch.div(behind, block, rounding_mode="floor") + 1)


def block_causal(prompt: Tensor, lengths: Tensor, width: int, block: int) -> Tensor:
    """D2F: a position reads its own block and every earlier one; the prompt reads the prompt. `[B, W, W]`."""
    number = blocks_of(prompt, width, block)
    allowed = number[:, None, :] <= number[:, :, None]
    return keep_self(allowed & by_length(lengths, width)[:, None, :])


def noisy_clean(prompt: Tensor, lengths: Tensor, width: int, block: int, aligned: bool = True) -> Tensor:
    """Fast-dLLM v2: rows `[noisy | clean]` of 2 * width positions, `[B, 2W, 2W]`.

    Noisy block b reads itself and the clean blocks before b; the clean half is block-causal and never reads noise.
    """
    number = blocks_of(prompt, width, block, aligned)
    real = by_length(lengths, width)[:, None, :]
    query, key = number[:, :, None], number[:, None, :]
    noisy = torch.cat([(query == key) & real, (key < query) & real], -1)
    clean = torch.cat([torch.zeros_like(noisy[..., :width]), (key <= query) & real], -1)
    return keep_self(torch.cat([noisy, clean], 1))


def keep_self(allowed: Tensor) -> Tensor:
    """Let every row (padding too) read itself: a softmax over nothing is NaN."""
    return allowed | torch.eye(allowed.shape[-1], dtype=torch.bool, device=allowed.device)[None]
