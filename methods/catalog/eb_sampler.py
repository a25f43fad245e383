"""EB-Sampler (Ben-Hamu et al. 2025): as many tokens per forward as a budget of entropy affords.

Slots are taken from the surest on, as long as the sum of their entropies less the largest stays under `gamma`: a bound
on what committing them at once, without looking at each other, can cost. The whole generation is one block.
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
    """The budget over the open slots of a block, no cache."""
    from methods.decoding import Decoder, EntropyBudget, Ignore, NoCache, Score, Sequential, divides, numbers

    return Decoder(
        blocks=Sequential(),
        cache=NoCache(),
        commit=EntropyBudget(),
        stop=Ignore(),
        score=Score("entropy"),
        values=numbers(settings, "gamma", "block_size"),
        need=(divides("block_size", settings["block_size"]),),
    )


EB_SAMPLER = Method(
    name="eb_sampler",
    title="EB-Sampler",
    summary="The surest slots whose entropies, less the largest, sum to less than a budget",
    citation="Ben-Hamu et al. 2025, arXiv:2505.24857; NEUIR/Uncode f2e2602",
    family="dllm",
    decoder=build,
    params={
        "gamma": Param(float, 0.1, "budget of entropy in nats; 0 commits one token per forward pass", low=0.0),
        "block_size": replace(params.BLOCK_OR_WHOLE, default=0),
        "temperature": params.TEMPERATURE,
    },
    axis="gamma",
    points=(0.0, 0.01, 0.05, 0.1, 0.3, 1.0),
    one_token={"gamma": 0.0},
    checkpoint="base",
    repairs=(
        "a budget is not reached by equality, and entropies are summed without cancellation, so that gamma 0 commits "
        "one token per forward pass",
        params.MASK,
    ),
    reference={"llada": "eb_sampler"},
)

METHODS = (EB_SAMPLER,)
