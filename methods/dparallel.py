"""dParallel (Chen et al. 2025): a model distilled to be certain early, decoded by an entropy threshold.

Blocks from left to right; every slot of the block whose entropy is under the threshold is committed, at least the
surest one. The training (certainty-forcing distillation) is what makes many slots pass.
"""

from __future__ import annotations

from methods import common
from methods.method import Method

METHOD = Method(
    name="dparallel",
    title="dParallel",
    summary="Blocks from left to right, every slot under the entropy threshold",
    citation="Chen et al. 2025, dParallel, arXiv:2509.26488; hao-ai-lab/d3LLM e5bfcac",
    family="dllm",
    decoder="methods.decoding.recipes:dparallel",
    params={"threshold": common.ENTROPY, "block_size": common.BLOCK_SIZE, "temperature": common.TEMPERATURE},
    axis="threshold",
    points=common.ENTROPY_POINTS,
    one_token={"threshold": 0.0},
    checkpoint="dparallel",
    recipe="dparallel",
    repairs=(common.STRICT, common.MASK),
)
