"""KLASS (Kim et al. 2025): a slot is committed when the model is sure of it and has stopped changing its mind.

Sure: its best token's probability exceeds `threshold`. Stopped changing: the KL divergence of its distribution from
that of the forward before was under `kl_threshold` in each of the last `history` forwards. Where no slot is both, the
surest of the block are committed, as many as LLaDA's schedule of `steps` asks for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from methods import params
from methods.method import Method, Param

if TYPE_CHECKING:
    from methods.decoding import Decoder


def resolve(settings: Mapping[str, Any], tokenizer: Any = None) -> dict[str, Any]:
    """The settings with plain numbers: 0 steps are one for every slot."""
    return {**settings, "steps": settings["steps"] or 0}


def build(settings: Mapping[str, Any]) -> Decoder:
    """Blocks in turn with a look at the next one, no cache, slots that are sure and still."""
    from methods.decoding import Ahead, Decoder, Ignore, NoCache, Stillness, SureAndStill, divides, numbers, schedules

    settings = resolve(settings)
    size = settings["block_size"]
    return Decoder(
        blocks=Ahead(),
        cache=NoCache(),
        commit=SureAndStill(),
        stop=Ignore(),
        score=Stillness(kept=2 * size),
        values=numbers(settings, "threshold", "kl_threshold", "history", "steps", "block_size"),
        need=(divides("block_size", size), schedules(settings["steps"], size)),
    )


KLASS = Method(
    name="klass",
    title="KLASS",
    summary="Slots that are sure and whose distribution has stopped moving, blocks from left to right",
    citation="Kim et al. 2025, KLASS, arXiv:2511.05664; shkim0116/KLASS ad87ecb",
    family="dllm",
    decoder=build,
    params={
        "threshold": params.SURE,
        "kl_threshold": Param(float, 0.01, "divergence in nats below which a slot counts as still", low=0.0),
        "history": Param(int, 2, "forward passes in a row that a slot has to be still", low=1),
        "steps": Param(
            int, None, "forward passes over which slots that are not ready are spread; none: one each", low=1, none=True
        ),
        "block_size": params.BLOCK_OR_WHOLE,
        "temperature": params.TEMPERATURE,
    },
    axis="threshold",
    points=(1.0, 0.9, 0.8, 0.7, 0.6, 0.5),
    one_token={"threshold": 1.0, "steps": None},
    checkpoint="base",
    repairs=(
        "the first forward pass has no history; the authors compare with zeros, which a bound above 27.6 nats accepts",
        "`steps` limits no block: the authors' leaves one with masks in it when its forward passes are spent",
        "a forward pass in which nothing is ready and the schedule asks for nothing commits the surest slot",
        params.MASK,
    ),
    reference={"llada": "klass"},
    resolve=resolve,
)

METHODS = (KLASS,)
