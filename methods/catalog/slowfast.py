"""SlowFast Sampling (Wei et al. 2025): explore how far the model is sure, then fill that stretch quickly.

Exploring forwards commit anywhere in the generation and estimate the last slot that is at least `cycle_threshold`
sure, until two estimates agree. The stretch up to there is then filled by confidence, on a canvas cut behind it: read
`positions` beside TPF, a cut forward is cheaper and counts one.
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
    """Cycles of exploring and filling, by confidence, no store."""
    from methods.decoding import Decoder, Ignore, NoCache, Score, SlowFast, Threshold, divides, numbers

    return Decoder(
        blocks=SlowFast(),
        cache=NoCache(),
        commit=Threshold(confidence=True),
        stop=Ignore(),
        score=Score("probability"),
        values=numbers(settings, "threshold", "cycle_threshold", "exploration_steps", "block_size"),
        need=(divides("block_size", settings["block_size"]),),
    )


SLOWFAST = Method(
    name="slowfast",
    title="SlowFast",
    summary="Cycles: explore where the model is sure, then fill up to there on a cut canvas",
    citation="Wei et al. 2025, SlowFast Sampling, arXiv:2506.10848; LiangrunFlora/Slow-Fast-Sampling dd9958f",
    family="dllm",
    decoder=build,
    params={
        "threshold": params.SURE,
        "cycle_threshold": Param(float, 0.3, "probability that counts as sure while exploring", low=0.0),
        "exploration_steps": Param(int, 6, "forward passes of an exploration", low=2),
        "block_size": replace(params.BLOCK_OR_WHOLE, default=0),
        "temperature": params.TEMPERATURE,
    },
    axis="threshold",
    points=params.CONFIDENCE_POINTS,
    one_token={"threshold": 1.0},
    checkpoint="base",
    repairs=(
        "an exploration ends when nothing is left to fill; the authors' always runs all its forward passes",
        params.STRICT,
        params.MASK,
    ),
    reference={"llada": "slowfast"},
)

METHODS = (SLOWFAST,)
