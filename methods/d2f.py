"""D2F, discrete diffusion forcing (Wang et al. 2025): a growing canvas with block-causal attention.

A block reads the prompt, earlier blocks and itself, never a later one, so a finished block's keys are final and are
cached exactly. Blocks are appended while the last one's decoded share is at least `block_add_threshold` and no EOS
was seen. In each block every slot above the confidence threshold is committed; a block whose left neighbour is far
enough (`decoded_token_threshold`) commits at least one.
"""

from __future__ import annotations

from dataclasses import replace

from methods import common
from methods.method import Method, Param

METHOD = Method(
    name="d2f",
    title="D2F",
    summary="Pipelined blocks on a growing canvas, block-causal attention, exact cache",
    citation="Wang et al. 2025, Discrete Diffusion Forcing, arXiv:2508.09192; hao-ai-lab/d3LLM e5bfcac",
    family="dllm",
    decoder="methods.decoding.recipes:d2f",
    params={
        "threshold": common.CONFIDENCE,
        "block_size": common.BLOCK_SIZE,
        "block_add_threshold": replace(common.BLOCK_ADD, default=0.1),
        "decoded_token_threshold": common.DECODED,
        "cache": Param(bool, True, "freeze finished blocks; the result is the same without"),
        "temperature": common.TEMPERATURE,
    },
    axis="threshold",
    points=common.CONFIDENCE_POINTS,
    one_token={"threshold": 1.0, "block_add_threshold": 1.0, "decoded_token_threshold": 1.0},
    checkpoint="d2f",
    recipe="d2f",
    repairs=(common.PHANTOM, common.SLICE, common.MASK),
)
