"""Fast-dLLM (dual cache): training-free parallel decoding (Wu et al. 2025).

A slot of the current block is committed when the probability of its best token exceeds the threshold, at least one
a forward. Keys and values of everything outside the current block are kept from the full forward that begins it; only
the block is recomputed, so the masks after it are stale within a block. This is the published row.
"""

from __future__ import annotations

from methods import common
from methods.method import Method

METHOD = Method(
    name="fast_dllm_dual",
    title="Fast-dLLM (dual cache)",
    summary="Confidence threshold with prefix and suffix cached: only the block is recomputed",
    citation="Wu et al. 2025, Fast-dLLM, arXiv:2505.22618; NVlabs/Fast-dLLM 24cc59e",
    family="dllm",
    decoder="methods.decoding.recipes:fast_dllm_dual",
    params={
        "threshold": common.CONFIDENCE,
        "block_size": common.BLOCK_SIZE,
        "refresh_interval": common.REFRESH,
        "temperature": common.TEMPERATURE,
    },
    axis="threshold",
    points=common.CONFIDENCE_POINTS,
    one_token={"threshold": 1.0},
    checkpoint="base",
    repairs=(
        "a block that its first forward filled is left at once; the reference always runs a second one",
        "on Dream the forward that begins a block commits by the rule, not just the block's first token",
        common.SLICE,
        common.STRICT,
        common.TOP_K,
        common.MASK,
    ),
)
