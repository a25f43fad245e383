"""LocalLeap (Kong et al. 2025): a lower bar for slots close to one that the model is sure of.

Slots above the threshold are anchors. Within `radius` positions of an anchor the relaxed threshold decides, elsewhere
the threshold itself; the surest slot of the block is always committed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from methods import params
from methods.method import Method, Param

if TYPE_CHECKING:
    from methods.decoding import Decoder


def build(settings: Mapping[str, Any]) -> Decoder:
    """Blocks in turn, no cache, two bars."""
    from methods.decoding import Decoder, Ignore, Neighbourhood, NoCache, Score, Sequential, divides, numbers

    return Decoder(
        blocks=Sequential(),
        cache=NoCache(),
        commit=Neighbourhood(),
        stop=Ignore(),
        score=Score("probability"),
        values=numbers(settings, "threshold", "relaxed_threshold", "radius", "block_size"),
        need=(divides("block_size", settings["block_size"]),),
    )


LOCALLEAP = Method(
    name="localleap",
    title="LocalLeap",
    summary="Confidence threshold, relaxed within a few positions of a sure slot",
    citation="Kong et al. 2025, LocalLeap, arXiv:2510.07081",
    family="dllm",
    decoder=build,
    params={
        "threshold": params.SURE,
        "relaxed_threshold": Param(float, 0.75, "the same near a slot that exceeds the threshold", low=0.0),
        "radius": Param(int, 4, "positions from a sure slot within which the relaxed threshold decides", low=0),
        "block_size": params.BLOCK_OR_WHOLE,
        "temperature": params.TEMPERATURE,
    },
    axis="relaxed_threshold",  # a bar near sure slots that is above the threshold would be no relaxation
    points=(0.9, 0.85, 0.75, 0.6, 0.4),
    one_token={"threshold": 1.0},
    checkpoint="base",
    repairs=(params.STRICT, params.MASK),
    reference={"llada": "localleap"},
)

METHODS = (LOCALLEAP,)
