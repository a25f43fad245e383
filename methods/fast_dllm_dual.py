"""Fast-dLLM (dual cache): training-free parallel decoding (Wu et al. 2025).

A slot of the current block is committed when the probability of its best token exceeds the threshold, at least one
a forward. Keys and values of everything outside the current block are kept from the full forward that begins it; only
the block is recomputed, so the masks after it are stale within a block. This is the published row.
"""

from __future__ import annotations

from dataclasses import replace

from methods.fast_dllm_prefix import METHOD as PREFIX

METHOD = replace(
    PREFIX,
    name="fast_dllm_dual",
    title="Fast-dLLM (dual cache)",
    summary="Confidence threshold with prefix and suffix cached: only the block is recomputed",
    decoder="methods.decoding.recipes:fast_dllm_dual",
)
