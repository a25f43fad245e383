"""TAD-Quality (temporal-aware distillation, arXiv:2605.09536): multi-block decoding of a self-distilled model.

The decoder is d3LLM's without a cache; the entropy test is strict and the next block starts at half of the last one.
TAD-Quality and TAD-Speed are two checkpoints, not two thresholds: the near window of the distillation differs.
"""

from __future__ import annotations

from dataclasses import replace

from methods.tad_speed import METHOD as TAD_SPEED

METHOD = replace(
    TAD_SPEED,
    name="tad_quality",
    title="TAD-Quality",
    summary="Several blocks at once, every slot under the entropy threshold; the quality checkpoint",
    checkpoint="tad_quality",
    recipe="tad_quality",
)
