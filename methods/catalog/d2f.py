"""D2F, discrete diffusion forcing (Wang et al. 2025): a growing canvas with block-causal attention.

A block reads the prompt, earlier blocks and itself, never a later one, so a finished block's keys are final and are
cached exactly. Blocks are appended while the last one's decoded share is at least `block_add_threshold` and no EOS
was seen. In each block every slot above the confidence threshold is committed; a block whose left neighbour is far
enough (`decoded_token_threshold`) commits at least one.
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
    """A growing canvas, block-causal attention, one rule per block."""
    from methods.decoding import BlockCausal, Decoder, Growing, Ignore, PerBlock, Score, divides, numbers

    names = ("threshold", "block_size", "block_add_threshold", "decoded_token_threshold")
    return Decoder(
        blocks=Growing(),
        cache=BlockCausal(cached=settings["cache"]),
        commit=PerBlock(),
        stop=Ignore(),
        score=Score("probability"),
        values=numbers(settings, *names),
        need=(divides("block_size", settings["block_size"]),),
    )


D2F = Method(
    name="d2f",
    title="D2F",
    summary="Pipelined blocks on a growing canvas, block-causal attention, exact cache",
    citation="Wang et al. 2025, Discrete Diffusion Forcing, arXiv:2508.09192; hao-ai-lab/d3LLM e5bfcac",
    family="dllm",
    decoder=build,
    params={
        "threshold": params.CONFIDENCE,
        "block_size": params.BLOCK_SIZE,
        "block_add_threshold": replace(params.BLOCK_ADD, default=0.1),
        "decoded_token_threshold": params.DECODED,
        "cache": Param(bool, True, "freeze finished blocks; the result is the same without"),
        "temperature": params.TEMPERATURE,
    },
    axis="threshold",
    points=params.CONFIDENCE_POINTS,
    one_token={"threshold": 1.0, "block_add_threshold": 1.0, "decoded_token_threshold": 1.0},
    checkpoint="d2f",
    recipe="d2f",
    repairs=(params.PHANTOM, params.END_IDS, params.SLICE, params.MASK),
    reference={"llada": "d2f", "dream": "d2f"},
)

METHODS = (D2F,)
