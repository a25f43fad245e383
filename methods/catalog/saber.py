"""Saber (Dong et al. 2025): adaptive acceleration, and remasking of what later context has made less sure.

A forward commits every open slot surer than the mean confidence at which slots were committed so far, the `n` surest
at least. Then the slots whose confidence has fallen most since the forward before (or risen least) are masked again:
max(n // 2, an eighth of what was committed), always fewer than were committed. A remask costs no forward of its own;
it costs the commit that has to be made once more.
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
    """Blocks in turn by an adaptive bar, the least sure of what stands masked again."""
    from methods.decoding import AdaptiveBar, Decoder, Ignore, NoCache, Remasking, Score, divides, numbers

    return Decoder(
        blocks=Remasking(),
        cache=NoCache(),
        commit=AdaptiveBar(),
        stop=Ignore(),
        score=Score("probability"),
        values=numbers(settings, "n", "block_size"),
        need=(divides("block_size", settings["block_size"]),),
    )


SABER = Method(
    name="saber",
    title="Saber",
    summary="Every slot surer than the mean of those committed, at least n; the least sure are masked again",
    citation="Dong et al. 2025, Saber, arXiv:2510.18165; zhaoyMa/Saber 2f061e2",
    family="dllm",
    decoder=build,
    params={
        "n": Param(int, 2, "slots that every forward pass commits at least; half as many are masked again", low=1),
        "block_size": replace(params.BLOCK_OR_WHOLE, default=0),
        "temperature": params.TEMPERATURE,
    },
    axis="n",
    points=(1, 2, 3, 4, 6, 8),
    one_token={},
    checkpoint="base",
    repairs=(
        "with fewer than n masks left all are committed; the reference's top-k goes on to arbitrary other slots",
        params.MASK,
    ),
    reference={"llada": "saber"},
)

METHODS = (SABER,)
