"""dParallel (Chen et al. 2025): a model distilled to be certain early, decoded by an entropy threshold.

Blocks from left to right; every slot of the block whose entropy is under the threshold is committed, at least the
surest one. The training (certainty-forcing distillation) is what makes many slots pass.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from methods import params
from methods.method import Method

if TYPE_CHECKING:
    from methods.decoding import Decoder


def build(settings: Mapping[str, Any]) -> Decoder:
    """Blocks in turn, no cache, every slot under the entropy threshold."""
    from methods.decoding import Decoder, Ignore, NoCache, Score, Sequential, Threshold, divides, numbers

    return Decoder(
        blocks=Sequential(),
        cache=NoCache(),
        commit=Threshold(),
        stop=Ignore(),
        score=Score("entropy"),
        values=numbers(settings, "threshold", "block_size"),
        need=(divides("block_size", settings["block_size"]),),
    )


DPARALLEL = Method(
    name="dparallel",
    title="dParallel",
    summary="Blocks from left to right, every slot under the entropy threshold",
    citation="Chen et al. 2025, dParallel, arXiv:2509.26488; hao-ai-lab/d3LLM e5bfcac",
    family="dllm",
    decoder=build,
    params={"threshold": params.ENTROPY, "block_size": params.BLOCK_SIZE, "temperature": params.TEMPERATURE},
    axis="threshold",
    points=params.ENTROPY_POINTS,
    one_token={"threshold": 0.0},
    checkpoint="dparallel",
    recipe="dparallel",
    repairs=(params.STRICT, params.MASK),
    reference={"llada": "llada.entropy_threshold", "dream": "dream.entropy_threshold"},
)

METHODS = (DPARALLEL,)
