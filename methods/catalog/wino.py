"""WINO (Hong et al. 2025): wide in, narrow out.

A forward fills every mask of the block surer than `threshold` (0.7 of the masks at most, between 5 and 20). Behind the
canvas it also computes a shadow of the block, in which each slot attends to everything but itself; where that view
gives a standing token less than `threshold_back` the slot is masked again, fewer slots than the step before
filled. Each forward is `block_size` positions longer than the canvas, which TPF does not show: compare `positions`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from methods import params
from methods.backbones.config import SHIFT
from methods.errors import MethodsUsageError
from methods.method import Method, Param

if TYPE_CHECKING:
    from methods.decoding import Decoder


def build(settings: Mapping[str, Any], arch: str = "llada") -> Decoder:
    """Blocks in turn with a shadow of the block. Raises MethodsUsageError on shifted backbones."""
    from methods.decoding import Decoder, Drafted, Ignore, NoCache, Shadowed, Verified, divides, numbers

    if SHIFT.get(arch):
        raise MethodsUsageError(
            f"wino is not defined on {arch}, where a token is predicted at the position before it: its authors' shadow "
            "is of the slots themselves; choose a checkpoint whose positions predict their own token (llada, a2d)."
        )
    return Decoder(
        blocks=Verified(),
        cache=NoCache(),
        commit=Drafted(),
        stop=Ignore(),
        score=Shadowed("probability"),
        values=numbers(settings, "threshold", "threshold_back", "block_size"),
        need=(divides("block_size", settings["block_size"]),),
    )


WINO = Method(
    name="wino",
    title="WINO",
    summary="Drafts by a confidence threshold and masks again what a leave-one-out view of the block doubts",
    citation="Hong et al. 2025, WINO, arXiv:2507.18578; Feng-Hong/WINO-DLLM 9549a1d",
    family="dllm",
    decoder=build,
    params={
        "threshold": replace(params.CONFIDENCE, default=0.6, high=None),
        "threshold_back": Param(
            float, 0.9, "a token to which the leave-one-out view gives less is masked again; 0 masks none", low=0.0
        ),
        "block_size": replace(params.BLOCK_OR_WHOLE, default=128),
        "temperature": params.TEMPERATURE,
    },
    axis="threshold",
    points=(1.0, 0.9, 0.8, 0.7, 0.6, 0.5),
    one_token={"threshold": 1.0},
    checkpoint="base",
)

METHODS = (WINO,)
