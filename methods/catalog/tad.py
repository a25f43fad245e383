"""TAD (temporal-aware distillation, arXiv:2605.09536): multi-block decoding of a self-distilled model.

The decoder is d3LLM's without a cache; the entropy test is strict and the next block starts at half of the last one.
TAD-Quality and TAD-Speed are two checkpoints, not two thresholds: the near window of the distillation differs.
`multi_block` is the row that TAD's distillation is measured against: same decoder, same settings, base weights
(`multi_block_d3llm` is the same under d3LLM's settings).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from methods import params
from methods.method import Method

if TYPE_CHECKING:
    from methods.decoding import Decoder


def build(settings: Mapping[str, Any]) -> Decoder:
    """Several blocks at once, no cache, every slot under the entropy threshold."""
    from methods.decoding import Decoder, FillTail, Ignore, MultiBlock, NoCache, Score, Threshold, divides, numbers

    names = ("threshold", "block_size", "block_add_threshold", "decoded_token_threshold")
    return Decoder(
        blocks=MultiBlock(),
        cache=NoCache(),
        commit=Threshold(),
        stop=FillTail() if settings["early_stop"] else Ignore(),
        score=Score("entropy"),
        values=numbers(settings, *names),
        need=(divides("block_size", settings["block_size"]),),
    )


TAD_SPEED = Method(
    name="tad_speed",
    title="TAD-Speed",
    summary="Several blocks at once, every slot under the entropy threshold; the speed checkpoint",
    citation="TAD, arXiv:2605.09536; BHmingyang/TAD 5e2aaf8",
    family="dllm",
    decoder=build,
    params={
        "threshold": params.ENTROPY,
        "block_size": params.BLOCK_SIZE,
        "block_add_threshold": replace(params.BLOCK_ADD, default=0.5),
        "decoded_token_threshold": replace(params.DECODED, default=0.5),
        "early_stop": params.EARLY_STOP,
        "temperature": params.TEMPERATURE,
    },
    axis="threshold",
    points=params.ENTROPY_POINTS,
    one_token={"threshold": 0.0},
    checkpoint="tad_speed",
    recipe="tad_speed",
    repairs=(
        "block counts are read from the canvas; the reference's go wrong after an early stop and force finished slots",
        params.STALE,
        params.PHANTOM,
        params.END_IDS,
        params.TWO,
        params.TAIL,
        params.STRICT,
        params.MASK,
    ),
    reference={"llada": "llada.tad_multi_block", "dream": "dream.tad_multi_block"},
)

TAD_QUALITY = replace(
    TAD_SPEED,
    name="tad_quality",
    title="TAD-Quality",
    summary="Several blocks at once, every slot under the entropy threshold; the quality checkpoint",
    checkpoint="tad_quality",
    recipe="tad_quality",
)

MULTI_BLOCK = replace(
    TAD_SPEED,
    name="multi_block",
    title="Multi-block, TAD settings (undistilled)",
    summary="TAD's decoder and settings on the base's weights, without any distillation",
    citation="the decoder of TAD, arXiv:2605.09536, on the base; no paper has this row",
    checkpoint="base",
    recipe=None,
)

METHODS = (TAD_SPEED, TAD_QUALITY, MULTI_BLOCK)
