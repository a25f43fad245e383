"""Prophet (Li et al. 2025): decoding ends once the model has made up its mind about the answer.

TASK-SPECIFIC: the canvas is given words such as "The answer is" before the first forward, and the slots behind them
are watched. A task whose answers are not a few tokens behind such words has no use for it, and the words count as
tokens of the output although no forward made them (at most three in the authors' settings).

Tokens are committed by LLaDA's schedule until the mean gap between the two best logits of the answer's five slots
reaches `gap_early` (first third of the schedule), `gap_mid` or `gap_late`; then every open slot takes its best token.
`gap_scale` multiplies the three.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from methods import params
from methods.errors import MethodsUsageError
from methods.method import Method, Param

if TYPE_CHECKING:
    from methods.decoding import Decoder, Request

GAPS = ("gap_early", "gap_mid", "gap_late")


def resolve(settings: Mapping[str, Any], tokenizer: Any) -> dict[str, Any]:
    """The settings with plain numbers: `words` as ids, gaps scaled, -1 and 0 for what is derived per request.

    Raises MethodsUsageError where words need a tokenizer that is not there.
    """
    values = dict(settings)
    values["word_ids"] = ()
    if settings["prefill"] is None and settings["words"]:
        if tokenizer is None:
            raise MethodsUsageError(
                "prophet's words need a tokenizer, and this checkpoint has none; give "
                "prefill=SLOT:ID,... (or prefill=[])."
            )
        values["word_ids"] = tuple(tokenizer(settings["words"], add_special_tokens=False)["input_ids"])
    values["prefill"] = settings["prefill"] or ()
    values |= {name: settings[name] * settings["gap_scale"] for name in GAPS}
    values["answer_start"] = -1 if settings["answer_start"] is None else settings["answer_start"]
    values["steps"] = settings["steps"] or 0
    return values


def fits(settings: Mapping[str, Any]) -> tuple[Any, ...]:
    """Checks of a request: blocks, schedule, and that answer and words lie inside the generation."""
    from methods.decoding import divides, schedules

    last = max([settings["answer_start"], *(slot for slot, _ in settings["prefill"])])

    def inside(request: Request) -> None:
        if last >= request.gen_length:
            raise MethodsUsageError(
                f"prophet's answer or words stand at slot {last}, but {request.gen_length} slots are generated; "
                "set answer_start and prefill to slots of the generation."
            )

    size = settings["block_size"]
    return divides("block_size", size), schedules(settings["steps"], size), inside


def build(settings: Mapping[str, Any], tokenizer: Any) -> Decoder:
    """LLaDA's schedule on a canvas with words in it, and the exit."""
    from methods.decoding import Decoder, EarlyExit, Ignore, NoCache, Prefilled, TopGap, numbers

    settings = resolve(settings, tokenizer)
    return Decoder(
        blocks=Prefilled(words=settings["word_ids"], pairs=settings["prefill"]),
        cache=NoCache(),
        commit=EarlyExit(),
        stop=Ignore(),
        score=TopGap(),
        values=numbers(settings, "steps", "answer_start", "block_size", *GAPS),
        need=fits(settings),
    )


PROPHET = Method(
    name="prophet",
    title="Prophet",
    summary="Task-specific: prefilled answer words; all slots at once when the answer's logit gap is wide",
    citation="Li et al. 2025, Prophet, arXiv:2508.19982; pixeli99/Prophet 460afe4",
    family="dllm",
    decoder=build,
    params={
        "steps": Param(int, None, "forward passes of the schedule; none: one for every slot", low=1, none=True),
        "gap_early": Param(float, 7.5, "logit gap that ends decoding in the first third of the schedule", low=0.0),
        "gap_mid": Param(float, 5.0, "the same in the second third", low=0.0),
        "gap_late": Param(float, 2.5, "the same in the last third", low=0.0),
        "gap_scale": Param(float, 1.0, "multiplies the three gaps; large: the schedule alone", low=0.0),
        "answer_start": Param(
            int, None, "slot of the answer; none: slot 203 of 256, in proportion to the generation", low=0, none=True
        ),
        "words": Param(str, "The answer is", "words right before the answer, unless prefill is given", none=True),
        "prefill": params.Ids(tuple, None, "slots and ids that are given; none: those of words", none=True, pairs=True),
        "block_size": params.BLOCK_OR_WHOLE,
        "temperature": params.TEMPERATURE,
    },
    axis="gap_scale",
    points=(1e9, 2.0, 1.0, 0.5, 0.25),
    one_token={"gap_scale": 1e9, "steps": None, "words": None, "prefill": ()},
    checkpoint="base",
    repairs=(
        "forward passes for which the schedule asks no token are not run",
        params.MASK,
    ),
    reference={"llada": "prophet"},
    resolve=resolve,
)

METHODS = (PROPHET,)
