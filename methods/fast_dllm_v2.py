"""Fast-dLLM v2 (Wu et al. 2025, arXiv:2509.26328): an autoregressive model fine-tuned to decode blocks by diffusion.

Attention is block-causal, so finished blocks are cached exactly; within a block, sub-blocks are decoded from left to
right by a confidence threshold. The prompt's forward and the one that caches each finished block are counted. There is
no `compat` fidelity.
"""

from __future__ import annotations

from methods import common
from methods.method import Method, Param

METHOD = Method(
    name="fast_dllm_v2",
    title="Fast-dLLM v2",
    summary="An AR model turned block diffusion: sub-blocks by confidence, block-causal cache",
    citation="Wu et al. 2025, Fast-dLLM v2, arXiv:2509.26328",
    family="block",
    decoder="methods.decoding.recipes:fast_dllm_v2",
    params={
        "threshold": common.CONFIDENCE,
        "block_size": Param(int, 32, "slots of a block, counted from position 0", low=1),
        "sub_block_size": Param(int, 8, "slots decoded together inside a block", low=1),
        "temperature": common.TEMPERATURE,
    },
    axis="threshold",
    points=common.CONFIDENCE_POINTS,
    one_token={"threshold": 1.0},
    checkpoint="fast_dllm_v2",
    recipe="fast_dllm_v2",
    repairs=(common.STRICT, common.MASK),
)
