"""Multi-block entropy decoding of the undistilled base: what TAD's and d3LLM's decoder gives without their training.

The row every distilled method is measured against: same decoder, same settings as `tad_speed`, the base's weights.
"""

from __future__ import annotations

from dataclasses import replace

from methods.tad_speed import METHOD as TAD_SPEED

METHOD = replace(
    TAD_SPEED,
    name="multi_block",
    title="Multi-block (undistilled)",
    summary="TAD's decoder on the base's weights, without any distillation",
    citation="the decoder of TAD, arXiv:2605.09536, on the base; no paper has this row",
    checkpoint="base",
    recipe=None,
)
