"""CreditDecoding (Wang et al. 2025): tokens that stay the best from forward to forward are committed earlier.

Each slot keeps a credit per token: it decays by `beta` with every forward of the block, and the best token gains its
probability to the power `gamma`. Token and confidence are read from the logits plus alpha ln(1 + credit).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from methods import params
from methods.method import Method, Param

if TYPE_CHECKING:
    from methods.decoding import Decoder


def build(settings: Mapping[str, Any]) -> Decoder:
    """Blocks in turn by confidence, after credit, with any of the three caches."""
    from methods.decoding import BlockCache, Credit, Decoder, Ignore, NoCache, Sequential, Threshold, divides, numbers

    size, cache = settings["block_size"], settings["cache"]
    return Decoder(
        blocks=Sequential(),
        cache=NoCache() if cache == "none" else BlockCache(dual=cache == "dual"),
        commit=Threshold(confidence=True),
        stop=Ignore(),
        score=Credit(kept=size),
        values=numbers(settings, "alpha", "gamma", "beta", "threshold", "block_size"),
        need=(divides("block_size", size),),
    )


CREDIT = Method(
    name="credit",
    title="CreditDecoding",
    summary="Confidence threshold on logits that remember which tokens were the best so far",
    citation="Wang et al. 2025, CreditDecoding, arXiv:2510.06133; inclusionAI/dInfer fce4e32",
    family="dllm",
    decoder=build,
    params={
        "threshold": params.SURE,
        "alpha": Param(float, 0.7, "weight of the credit in the logits", low=0.0),
        "gamma": Param(float, 0.2, "power of the probability that a best token gains", low=0.0),
        "beta": Param(float, 0.8, "what a forward pass leaves of the credit", low=0.0, high=1.0),
        "block_size": params.BLOCK_OR_WHOLE,
        "cache": params.BLOCK_CACHE,
        "temperature": params.TEMPERATURE,
    },
    axis="threshold",
    points=params.CONFIDENCE_POINTS,
    one_token={"threshold": 1.0},
    checkpoint="base",
    repairs=(
        "slots within 1e-5 of the best confidence are not committed along with it",
        "credit ends with its block: the authors' matrices pass into the next prompt when decoding stops early",
        params.STRICT,
        params.MASK,
    ),
    reference={"llada": "credit"},
)

METHODS = (CREDIT,)
