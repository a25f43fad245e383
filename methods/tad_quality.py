"""TAD-Quality (temporal-aware distillation, arXiv:2605.09536): multi-block decoding of a self-distilled model.

The decoder is d3LLM's without a cache; the entropy test is strict and the next block starts at half of the last one.
TAD-Quality and TAD-Speed are two checkpoints, not two thresholds: the near window of the distillation differs.
"""

from __future__ import annotations

from dataclasses import replace

from methods import common
from methods.method import Method

METHOD = Method(
    name="tad_quality",
    title="TAD-Quality",
    summary="Several blocks at once, every slot under the entropy threshold; the quality checkpoint",
    citation="TAD, arXiv:2605.09536; BHmingyang/TAD 5e2aaf8",
    family="dllm",
    decoder="methods.decoding.recipes:tad",
    params={
        "threshold": common.ENTROPY,
        "block_size": common.BLOCK_SIZE,
        "block_add_threshold": replace(common.BLOCK_ADD, default=0.5),
        "decoded_token_threshold": replace(common.DECODED, default=0.5),
        "early_stop": common.EARLY_STOP,
        "temperature": common.TEMPERATURE,
    },
    axis="threshold",
    points=common.ENTROPY_POINTS,
    one_token={"threshold": 0.0},
    checkpoint="tad_quality",
    recipe="tad_quality",
    repairs=(
        "block counts are read from the canvas; the reference's go wrong after an early stop and force finished slots",
        common.STALE,
        common.PHANTOM,
        common.TWO,
        common.TAIL,
        common.STRICT,
        common.MASK,
    ),
)
