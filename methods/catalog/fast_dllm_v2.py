"""Fast-dLLM v2 (Wu et al. 2025, arXiv:2509.26328): an autoregressive model fine-tuned to decode blocks by diffusion.

Attention is block-causal, so finished blocks are cached exactly; within a block, sub-blocks are decoded from left to
right by a confidence threshold. The prompt's forward and the one that caches each finished block are counted. The
behaviour of the published code is not modelled, so there is no `compat` fidelity.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from methods import params
from methods.method import Method, Param

if TYPE_CHECKING:
    from methods.decoding import Decoder


def build(settings: Mapping[str, Any]) -> Decoder:
    """Sub-blocks by confidence, blocks counted from position 0, block-causal cache."""
    from methods.decoding import Decoder, FillTail, Ignore, Score, Threshold, V2Blocks, V2Cache, numbers

    return Decoder(
        blocks=V2Blocks(),
        cache=V2Cache(aligned=True),
        commit=Threshold(confidence=True),
        stop=FillTail() if settings["early_stop"] else Ignore(),
        score=Score("probability"),
        values=numbers(settings, "threshold", "block_size", "sub_block_size"),
        family="block",
    )


FAST_DLLM_V2 = Method(
    name="fast_dllm_v2",
    title="Fast-dLLM v2",
    summary="An AR model turned block diffusion: sub-blocks by confidence, block-causal cache",
    citation="Wu et al. 2025, Fast-dLLM v2, arXiv:2509.26328",
    family="block",
    decoder=build,
    params={
        "threshold": params.CONFIDENCE,
        "block_size": Param(int, 32, "slots of a block, counted from position 0", low=1),
        "sub_block_size": Param(int, 8, "slots decoded together inside a block", low=1),
        "early_stop": replace(params.EARLY_STOP, default=True),
        "temperature": params.TEMPERATURE,
    },
    axis="threshold",
    points=params.CONFIDENCE_POINTS,
    one_token={"threshold": 1.0},
    checkpoint="fast_dllm_v2",
    recipe="fast_dllm_v2",
    repairs=(params.STRICT, params.MASK),
)

METHODS = (FAST_DLLM_V2,)
