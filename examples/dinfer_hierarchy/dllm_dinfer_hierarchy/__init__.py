"""dInfer's hierarchical decoding (Ma et al. 2025): one sure slot in every gap, so that gaps are halved and not eaten.

Committed are all slots above `threshold`, the surest slot of every run of neighbouring masks if it exceeds
`low_threshold`, and the surest slot of the block. No training, so it runs on any suite's base checkpoint.
"""

from __future__ import annotations

from methods import params
from methods.method import Method, Param

METHOD = Method(
    name="dinfer_hierarchy",
    title="dInfer (hierarchy)",
    summary="Confidence threshold, and the surest slot of every gap above a lower one",
    citation="Ma et al. 2025, dInfer, arXiv:2510.08666; inclusionAI/dInfer fce4e32",
    family="dllm",
    decoder="dllm_dinfer_hierarchy.decoder:build",
    params={
        "threshold": params.CONFIDENCE,
        "low_threshold": Param(float, 0.4, "the same for the surest slot of a gap", low=0.0, high=1.0),
        "block_size": params.BLOCK_SIZE,
    },
    axis="threshold",
    points=params.CONFIDENCE_POINTS,
    one_token={"threshold": 1.0, "low_threshold": 1.0},
    checkpoint="base",
)
