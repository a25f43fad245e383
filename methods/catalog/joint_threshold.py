"""Joint threshold decoding (LLaDA2.1, Bie et al. 2026): masks are filled and tokens that stand are edited.

Every forward of a block fills the masks surer than `threshold` (the surest at least), and replaces each token of the
block whose slot now prefers another one with more than `edit_threshold`. Once the block has no mask at most
`max_post_edit_steps` more forwards may edit. A block ends with a forward that changes nothing, which is counted; so
TPF can be below 1, and no setting commits exactly one token per forward pass.

The published modes are settings: Quality is threshold 0.7, edit_threshold 0.5; Speed is threshold 0.5, edit_threshold
none. The defaults are SGLang's, where edit_threshold 0 edits whenever the best token differs (in diffusers 0 means
never; here none does). On checkpoints that are not trained to edit, as LLaDA-8B is not, edits can run in circles until
the budget is spent. Attention is the checkpoint's own and blocks begin at the end of the prompt.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from methods import params
from methods.method import Method, Param

if TYPE_CHECKING:
    from methods.decoding import Decoder


def build(settings: Mapping[str, Any]) -> Decoder:
    """Blocks in turn, masks and tokens by a threshold each."""
    from methods.decoding import (
        Decoder,
        Ignore,
        JointThreshold,
        NoCache,
        RepeatPenalty,
        Score,
        Settled,
        divides,
        numbers,
    )

    edit, penalty = settings["edit_threshold"], settings["penalty_lambda"]
    values = numbers(settings, "threshold", "max_post_edit_steps", "block_size")
    values["edit_threshold"] = math.inf if edit is None else float(edit)
    return Decoder(
        blocks=Settled(),
        cache=NoCache(),
        commit=JointThreshold(),
        stop=Ignore(),
        score=RepeatPenalty("probability") if penalty else Score("probability"),
        values=values | {"penalty_lambda": float(penalty)},
        need=(divides("block_size", settings["block_size"]),),
    )


JOINT_THRESHOLD = Method(
    name="joint_threshold",
    title="LLaDA2.1 joint threshold",
    summary="Fills masks above one threshold, edits tokens of the block whose slot prefers another above a second",
    citation="Bie et al. 2026, LLaDA2.1, arXiv:2602.08676; SGLang 0.5.23 joint_threshold.py",
    family="dllm",
    decoder=build,
    params={
        "threshold": Param(float, 0.5, "probability above which a mask is filled (Quality 0.7, Speed 0.5)", low=0.0),
        "edit_threshold": Param(
            float,
            0.0,
            "probability above which another token replaces the one that stands; 0 edits whenever it differs, none "
            "never (Quality 0.5, Speed none)",
            low=0.0,
            none=True,
        ),
        "max_post_edit_steps": Param(int, 16, "forward passes that may edit a block once it has no mask", low=0),
        "penalty_lambda": Param(float, 0.0, "taken off the logit of the token on the slot's left", low=0.0),
        "block_size": params.BLOCK_OR_WHOLE,
        "temperature": params.TEMPERATURE,
    },
    axis="threshold",
    points=params.CONFIDENCE_POINTS,
    one_token={},
    checkpoint="base",
)

METHODS = (JOINT_THRESHOLD,)
