"""d3LLM (Qian et al. 2026): multi-block decoding of a model distilled on pseudo-trajectories.

Several blocks are open at once. Every slot under the entropy threshold is committed wherever it is; the first block
whose predecessor is decoded far enough commits at least one. The next block is created once the last one's decoded
share reaches `block_add_threshold`. After an EOS the tail is filled.

With its delayed K/V cache (`d3llm_cache`) a finished block is frozen `cache_delay` forwards later, when its
neighbours have settled. While a finished block waits, and every `refresh_interval`-th forward pass, the whole canvas is
recomputed; otherwise only what follows the frozen part. A forward pass counts as one whatever its width: read
`positions` beside TPF.

`multi_block_d3llm` is what d3LLM's distillation is measured against: same decoder, same settings, base weights
(`multi_block` is the same under TAD's settings).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from methods import params
from methods.method import Method, Param

if TYPE_CHECKING:
    from methods.decoding import Decoder

NAMES = ("threshold", "block_size", "block_add_threshold", "decoded_token_threshold")


def build(settings: Mapping[str, Any]) -> Decoder:
    """Several blocks at once, no cache, every slot under the entropy threshold."""
    from methods.decoding import Decoder, FillTail, Ignore, MultiBlock, NoCache, Score, Threshold, divides, numbers

    return Decoder(
        blocks=MultiBlock(),
        cache=NoCache(),
        commit=Threshold(),
        stop=FillTail() if settings["early_stop"] else Ignore(),
        score=Score("entropy"),
        values=numbers(settings, *NAMES),
        need=(divides("block_size", settings["block_size"]),),
    )


def build_cached(settings: Mapping[str, Any]) -> Decoder:
    """The same, with finished blocks frozen after a delay."""
    from methods.decoding import Delayed, numbers

    values = numbers(settings, *NAMES, "cache_delay", "refresh_interval")
    return replace(build(settings), cache=Delayed(), values=values)


D3LLM = Method(
    name="d3llm",
    title="d3LLM",
    summary="Several blocks at once, every slot under the entropy threshold, no cache",
    citation="Qian et al. 2026, d3LLM; hao-ai-lab/d3LLM e5bfcac",
    family="dllm",
    decoder=build,
    params={
        "threshold": params.ENTROPY,
        "block_size": params.BLOCK_SIZE,
        "block_add_threshold": params.BLOCK_ADD,
        "decoded_token_threshold": params.DECODED,
        "early_stop": replace(params.EARLY_STOP, default=True),
        "temperature": params.TEMPERATURE,
    },
    axis="threshold",
    points=params.ENTROPY_POINTS,
    one_token={"threshold": 0.0},
    checkpoint="d3llm",
    recipe="d3llm",
    repairs=(params.STALE, params.PHANTOM, params.END_IDS, params.TWO, params.TAIL, params.STRICT, params.MASK),
    reference={"llada": "llada.multi_block", "dream": "dream.multi_block"},
)

D3LLM_CACHE = replace(
    D3LLM,
    name="d3llm_cache",
    title="d3LLM (KV cache)",
    summary="d3LLM with finished blocks frozen after a delay and the canvas refreshed at intervals",
    decoder=build_cached,
    params={
        **D3LLM.params,
        "cache_delay": Param(int, 2, "forward passes a finished block waits before it is frozen", low=0),
        "refresh_interval": Param(int, 10000, "forward passes between full recomputations", low=1),
    },
    repairs=(
        "a slot is a position: a refresh with several waiting blocks leaves no key twice and no length out of step",
        "a refresh that is due is not skipped because a block is frozen in the same forward",
        params.SLICE,
        *D3LLM.repairs,
    ),
    reference={"llada": "llada.multi_block_kv", "dream": "dream.multi_block_kv"},
)

UNDISTILLED = replace(
    D3LLM,
    name="multi_block_d3llm",
    title="Multi-block, d3LLM settings (undistilled)",
    summary="d3LLM's decoder and settings on the base's weights, without any distillation",
    citation="the decoder of Qian et al. 2026, d3LLM, on the base; no paper has this row",
    checkpoint="base",
    recipe=None,
)

METHODS = (D3LLM, D3LLM_CACHE, UNDISTILLED)
