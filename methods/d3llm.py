"""d3LLM (Qian et al. 2026): multi-block decoding of a model distilled on pseudo-trajectories.

Several blocks are open at once. Every slot under the entropy threshold is committed wherever it is; the first block
whose predecessor is decoded far enough commits at least one. The next block is created once the last one's decoded
share reaches `block_add_threshold`. After an EOS the tail is filled.
"""

from __future__ import annotations

from dataclasses import replace

from methods import common
from methods.method import Method

METHOD = Method(
    name="d3llm",
    title="d3LLM",
    summary="Several blocks at once, every slot under the entropy threshold, no cache",
    citation="Qian et al. 2026, d3LLM; hao-ai-lab/d3LLM e5bfcac",
    family="dllm",
    decoder="methods.decoding.recipes:d3llm",
    params={
        "threshold": common.ENTROPY,
        "block_size": common.BLOCK_SIZE,
        "block_add_threshold": common.BLOCK_ADD,
        "decoded_token_threshold": common.DECODED,
        "early_stop": replace(common.EARLY_STOP, default=True),
        "temperature": common.TEMPERATURE,
    },
    axis="threshold",
    points=common.ENTROPY_POINTS,
    one_token={"threshold": 0.0},
    checkpoint="d3llm",
    recipe="d3llm",
    repairs=(common.STALE, common.PHANTOM, common.TWO, common.TAIL, common.STRICT, common.MASK),
)
