"""Fast-dLLM (Wu et al. 2025): training-free parallel decoding with approximate block caches.

A slot of the current block is committed when the probability of its best token exceeds the threshold, at least one
per forward. Keys and values of everything before the current block are kept from the full forward that begins it; the
prefix cache recomputes the block and all masks after it, the dual cache (the published row) the block alone, so the
masks after it are stale within a block.

Factor decoding (section 3.3) commits as many tokens at once as still factorise: with confidences in falling order
c(1) >= c(2) >= ..., the longest prefix whose ranks all satisfy (n + 1) (1 - c(n)) < factor; the first rank always. The
bound says when the product of marginals still has the joint's argmax. The number of tokens thus follows the
confidence of all of them, not of each alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from methods import params
from methods.method import Method, Param

if TYPE_CHECKING:
    from methods.decoding import Decoder


def build_prefix(settings: Mapping[str, Any]) -> Decoder:
    """Blocks in turn by confidence, prefix cached."""
    from methods.decoding import BlockCache, Decoder, Ignore, Score, Sequential, Threshold, divides, numbers

    return Decoder(
        blocks=Sequential(),
        cache=BlockCache(dual=False),
        commit=Threshold(confidence=True),
        stop=Ignore(),
        score=Score("probability"),
        values=numbers(settings, "threshold", "block_size", "refresh_interval"),
        need=(divides("block_size", settings["block_size"]),),
    )


def build_dual(settings: Mapping[str, Any]) -> Decoder:
    """The same, prefix and suffix cached."""
    from methods.decoding import BlockCache

    return replace(build_prefix(settings), cache=BlockCache(dual=True))


def build_factor(settings: Mapping[str, Any]) -> Decoder:
    """Blocks in turn by the factor rule, with any of the three caches."""
    from methods.decoding import BlockCache, Decoder, Factor, Ignore, NoCache, Score, Sequential, divides, numbers

    return Decoder(
        blocks=Sequential(),
        cache=NoCache() if settings["cache"] == "none" else BlockCache(dual=settings["cache"] == "dual"),
        commit=Factor(),
        stop=Ignore(),
        score=Score("probability"),
        values=numbers(settings, "factor", "block_size", "refresh_interval"),
        need=(divides("block_size", settings["block_size"]),),
    )


PREFIX = Method(
    name="fast_dllm_prefix",
    title="Fast-dLLM (prefix cache)",
    summary="Confidence threshold with the keys of everything before the block cached",
    citation="Wu et al. 2025, Fast-dLLM, arXiv:2505.22618; NVlabs/Fast-dLLM 24cc59e",
    family="dllm",
    decoder=build_prefix,
    params={
        "threshold": params.CONFIDENCE,
        "block_size": params.BLOCK_SIZE,
        "refresh_interval": params.REFRESH,
        "temperature": params.TEMPERATURE,
    },
    axis="threshold",
    points=params.CONFIDENCE_POINTS,
    one_token={"threshold": 1.0},
    checkpoint="base",
    repairs=(
        "a block that its first forward filled is left at once; the reference always runs a second one",
        "on Dream the forward that begins a block commits by the rule, not just the block's first token",
        params.SLICE,
        params.STRICT,
        params.MASK,
    ),
    reference={"llada": "llada.fast_prefix_cache", "dream": "dream.fast_prefix_cache"},
)

DUAL = replace(
    PREFIX,
    name="fast_dllm_dual",
    title="Fast-dLLM (dual cache)",
    summary="Confidence threshold with prefix and suffix cached: only the block is recomputed",
    decoder=build_dual,
    reference={"llada": "llada.fast_dual_cache", "dream": "dream.fast_dual_cache"},
)

FACTOR = Method(
    name="fast_dllm_factor",
    title="Fast-dLLM (factor)",
    summary="The longest prefix of ranks n with (n + 1)(1 - confidence) < factor",
    citation="Wu et al. 2025, Fast-dLLM, arXiv:2505.22618",
    family="dllm",
    decoder=build_factor,
    params={
        "factor": Param(
            float, 1.0, "bound on (n + 1)(1 - confidence of rank n); 0 commits one token per forward pass", low=0.0
        ),
        "block_size": params.BLOCK_SIZE,
        "cache": Param(str, "dual", "what is cached", choices=("none", "prefix", "dual")),
        "refresh_interval": params.REFRESH,
        "temperature": params.TEMPERATURE,
    },
    axis="factor",
    points=(0.0, 0.25, 0.5, 1.0, 1.5, 2.0),
    one_token={"factor": 0.0},
    checkpoint="base",
    repairs=("the last rank is not committed when it is the one that fails", params.SLICE, params.MASK),
    reference={"llada": "fast_dllm.factor", "dream": "fast_dllm.factor"},
)

METHODS = (PREFIX, DUAL, FACTOR)
