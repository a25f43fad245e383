"""AdaBlock-dLLM (Lu et al. 2025): a block ends where the model expects a delimiter, such as the end of a line.

The first forward of a block looks at the next quarter of the generation. If the most probable delimiter among the best
tokens there reaches `delimiter_threshold`, the block ends behind it; else it has the default length. Within a block
slots are committed by confidence. The delimiters are ids of the checkpoint's vocabulary; without any given, they are
what the tokenizer makes of a newline.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from methods import params
from methods.errors import MethodsUsageError
from methods.method import Method, Param

if TYPE_CHECKING:
    from methods.decoding import Decoder


def resolve(settings: Mapping[str, Any], tokenizer: Any) -> dict[str, Any]:
    """The settings with delimiters: the one id of a newline. Raises MethodsUsageError where there is none."""
    if settings["delimiters"] is not None:
        return dict(settings)
    if tokenizer is None:
        raise MethodsUsageError(
            "adablock takes its delimiters from the tokenizer, and this checkpoint has none; give their ids, such as "
            "delimiters=198."
        )
    ids = tokenizer("\n", add_special_tokens=False)["input_ids"]
    if len(ids) != 1:
        raise MethodsUsageError(
            f"This checkpoint's tokenizer makes {len(ids)} tokens of a newline, so adablock needs the ids that end a "
            "block: delimiters=ID,ID."
        )
    return {**settings, "delimiters": tuple(ids)}


def build(settings: Mapping[str, Any], tokenizer: Any) -> Decoder:
    """Blocks up to a delimiter, by confidence, with any of the three caches."""
    from methods.decoding import AdaBlocks, BlockCache, Decoder, Ignore, NoCache, Score, Threshold, numbers

    settings = resolve(settings, tokenizer)
    cache = settings["cache"]
    return Decoder(
        blocks=AdaBlocks(delimiters=settings["delimiters"]),
        cache=NoCache() if cache == "none" else BlockCache(dual=cache == "dual"),
        commit=Threshold(confidence=True),
        stop=Ignore(),
        score=Score("probability"),
        values=numbers(settings, "threshold", "delimiter_threshold", "window", "block_size"),
    )


ADABLOCK = Method(
    name="adablock",
    title="AdaBlock",
    summary="Confidence threshold in blocks that end at a delimiter the model expects",
    citation="Lu et al. 2025, AdaBlock-dLLM, arXiv:2509.26432; lgxi24/AdaBlock-dLLM 491b205",
    family="dllm",
    decoder=build,
    params={
        "threshold": params.SURE,
        "delimiter_threshold": Param(float, 0.3, "probability from which on a delimiter ends a block", low=0.0),
        "delimiters": params.Ids(tuple, None, "ids that end a block; none: the tokenizer's newline", none=True),
        "window": Param(float, 0.25, "share of the generation searched for a delimiter", low=0.0, high=1.0),
        "block_size": Param(int, 32, "slots of a block without a delimiter", low=1),
        "cache": params.BLOCK_CACHE,
        "temperature": params.TEMPERATURE,
    },
    axis="threshold",
    points=params.CONFIDENCE_POINTS,
    one_token={"threshold": 1.0},
    checkpoint="base",
    repairs=(params.STRICT, params.SLICE, params.MASK),
    reference={"llada": "adablock"},
    resolve=resolve,
)

METHODS = (ADABLOCK,)
