"""A decoder put together by its settings: any commit rule over any blocks, cache and score that fit it.

For ablations that need no code: `--set commit=localleap --set blocks=multi_block`. What does not fit is refused with
a sentence, and so is a number that none of the chosen policies reads. Settings left out are the rule's own: its score,
its blocks and the defaults of the row it comes from. No paper has this row, so it has no `compat`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from methods import params
from methods.catalog.adablock import resolve
from methods.errors import MethodsUsageError
from methods.method import Method, Param

if TYPE_CHECKING:
    from methods.decoding import BlockPolicy, CachePolicy, CommitRule, Decoder, Policy, Scorer

# commit rule -> the scores whose cost it can read, its own first
SCORES = {
    "threshold": ("probability", "entropy", "margin", "credit"),
    "quota": ("probability", "entropy", "margin", "credit"),
    "factor": ("probability", "credit"),
    "eb_sampler": ("entropy",),
    "localleap": ("probability", "credit"),
    "klass": ("stillness",),
    "per_block": ("probability",),
}
BLOCKS = {"klass": "ahead", "per_block": "growing"}  # a rule's own blocks; sequential for the others
CONFIDENCES = ("probability", "credit", "stillness")  # scores whose cost is minus a probability
NUMBERS: dict[str, Any] = {
    "threshold": 0.9,
    "tokens_per_step": 1,
    "factor": 1.0,
    "gamma": 0.1,
    "relaxed_threshold": 0.75,
    "radius": 4,
    "kl_threshold": 0.01,
    "history": 2,
    "steps": 0,
    "alpha": 0.7,
    "beta": 0.8,
    "block_add_threshold": 0.1,
    "decoded_token_threshold": 0.95,
    "delimiter_threshold": 0.3,
    "window": 0.25,
    "cycle_threshold": 0.3,
    "exploration_steps": 6,
    "cache_delay": 2,
    "refresh_interval": 10000,
}
"""What a number that is left out is, unless `own_numbers` says otherwise."""


def build(settings: Mapping[str, Any], tokenizer: Any) -> Decoder:
    """The decoder that the settings name. Raises MethodsUsageError for policies or numbers that do not fit."""
    from methods.decoding import Decoder, Ignore, divides

    commit = settings["commit"]
    score, blocks = settings["score"] or SCORES[commit][0], settings["blocks"] or BLOCKS.get(commit, "sequential")
    if score not in SCORES[commit]:
        raise MethodsUsageError(
            f"commit={commit} cannot read score={score}: it takes {' or '.join(SCORES[commit])}; leave score out."
        )
    if blocks in ("adablock", "slowfast") and score not in CONFIDENCES:
        raise MethodsUsageError(
            f"blocks={blocks} reads probabilities, and score={score} is none; take a commit rule and a score that are "
            f"({' or '.join(CONFIDENCES)})."
        )
    size = settings["block_size"]
    parts = (
        block_policy(blocks, settings, tokenizer),
        cache_policy(settings["cache"]),
        commit_rule(commit, score),
        Ignore(),
        scorer(score, size),
    )
    need = () if blocks == "adablock" else (divides("block_size", size),)
    try:
        return Decoder(*parts, values=own_numbers(settings, parts, commit, score, blocks), need=need)
    except MethodsUsageError as error:
        raise MethodsUsageError(
            f"commit={commit} blocks={blocks} cache={settings['cache']} score={score} do not fit: {error}"
        ) from None


def own_numbers(
    settings: Mapping[str, Any], parts: tuple[Policy, ...], commit: str, score: str, blocks: str
) -> dict[str, Any]:
    """The numbers that the policies read. Raises MethodsUsageError for one that is given and read by none."""
    reads = {"block_size", *(name for part in parts for name in part.values)}
    cached = settings["cache"] in ("prefix", "dual", "delayed")
    reads |= {"refresh_interval"} if cached else set()
    for name in NUMBERS:
        if settings[name] is not None and name not in reads:
            raise MethodsUsageError(
                f"{name}={settings[name]} has no effect with commit={commit} blocks={blocks} "
                f"cache={settings['cache']} score={score}: none of them reads it; leave it out."
            )
    own = dict(NUMBERS)
    own |= {"threshold": 0.5} if score == "entropy" else {}
    own |= {"gamma": 0.2} if score == "credit" else {}
    given = {name: settings[name] for name in NUMBERS if settings[name] is not None}
    values = {name: value for name, value in {**own, **given}.items() if name in reads}
    if settings["temperature"]:
        values["temperature"] = settings["temperature"]
    return {**values, "block_size": settings["block_size"]}


def commit_rule(name: str, score: str) -> CommitRule:
    """The rule called `name`; a threshold is a bound on an entropy or on a confidence."""
    from methods.decoding import EntropyBudget, Factor, Neighbourhood, PerBlock, Quota, SureAndStill, Threshold

    rules: dict[str, CommitRule] = {
        "threshold": Threshold(confidence=score != "entropy"),
        "quota": Quota(),
        "factor": Factor(),
        "eb_sampler": EntropyBudget(),
        "localleap": Neighbourhood(),
        "klass": SureAndStill(),
        "per_block": PerBlock(),
    }
    return rules[name]


def block_policy(name: str, settings: Mapping[str, Any], tokenizer: Any) -> BlockPolicy:
    """The block policy called `name`; AdaBlock's delimiters are the tokenizer's newline where none are given."""
    from methods.decoding import AdaBlocks, Ahead, Growing, MultiBlock, Sequential, SlowFast

    if name == "adablock":
        return AdaBlocks(delimiters=resolve(settings, tokenizer)["delimiters"])
    if settings["delimiters"] is not None:
        raise MethodsUsageError(f"delimiters have no effect with blocks={name}; leave them out.")
    blocks: dict[str, BlockPolicy] = {
        "sequential": Sequential(),
        "ahead": Ahead(),
        "multi_block": MultiBlock(),
        "growing": Growing(),
        "slowfast": SlowFast(),
    }
    return blocks[name]


def cache_policy(name: str) -> CachePolicy:
    """The cache policy called `name`."""
    from methods.decoding import BlockCache, BlockCausal, Delayed, NoCache

    caches: dict[str, CachePolicy] = {
        "none": NoCache(),
        "prefix": BlockCache(dual=False),
        "dual": BlockCache(dual=True),
        "delayed": Delayed(),
        "block_causal": BlockCausal(),
    }
    return caches[name]


def scorer(name: str, size: int) -> Scorer:
    """The scorer called `name` for blocks of `size` slots (0: the whole generation)."""
    from methods.decoding import Credit, Score, Stillness

    if name == "credit":
        return Credit(kept=size)
    return Stillness(kept=2 * size) if name == "stillness" else Score(name)


def _number(kind: type, help: str, high: float | None = None, low: float = 0) -> Param:
    return Param(kind, None, f"{help}; none: the default of the row it comes from", low=low, high=high, none=True)


CUSTOM = Method(
    name="custom",
    title="Custom",
    summary="Commit rule, blocks, cache and score named by the settings; for ablations",
    citation="no paper; the policies are those of the other rows",
    family="dllm",
    decoder=build,
    params={
        "commit": Param(str, "threshold", "what is committed", choices=tuple(SCORES)),
        "blocks": Param(
            str,
            None,
            "which slots are eligible; none: the rule's own",
            choices=("sequential", "ahead", "multi_block", "growing", "adablock", "slowfast"),
            none=True,
        ),
        "cache": Param(str, "none", "what is cached", choices=("none", "prefix", "dual", "delayed", "block_causal")),
        "score": Param(
            str,
            None,
            "what slots are ranked by; none: the rule's own",
            choices=("probability", "entropy", "margin", "credit", "stillness"),
            none=True,
        ),
        "block_size": params.BLOCK_OR_WHOLE,
        "threshold": _number(float, "bar of a confidence, or of an entropy in nats with score=entropy"),
        "tokens_per_step": _number(int, "tokens committed per forward pass (quota)", low=1),
        "factor": _number(float, "bound on (n + 1)(1 - confidence of rank n) (factor)"),
        "gamma": _number(float, "budget of entropy (eb_sampler), or power of a credit (score=credit)"),
        "relaxed_threshold": _number(float, "bar near a sure slot (localleap)"),
        "radius": _number(int, "positions that count as near (localleap)"),
        "kl_threshold": _number(float, "divergence below which a slot is still (klass)"),
        "history": _number(int, "forward passes that a slot has to be still (klass)", low=1),
        "steps": _number(int, "forward passes of the schedule for slots that are not ready (klass)", low=1),
        "alpha": _number(float, "weight of the credit (score=credit)"),
        "beta": _number(float, "what a forward pass leaves of the credit (score=credit)", high=1.0),
        "block_add_threshold": _number(float, "decoded share that creates the next block", high=1.0),
        "decoded_token_threshold": _number(float, "decoded share that activates the next block", high=1.0),
        "delimiter_threshold": _number(float, "probability from which on a delimiter ends a block (adablock)"),
        "delimiters": params.Ids(tuple, None, "ids that end a block; none: the tokenizer's newline", none=True),
        "window": _number(float, "share of the generation searched for a delimiter (adablock)", high=1.0),
        "cycle_threshold": _number(float, "probability that counts as sure while exploring (slowfast)"),
        "exploration_steps": _number(int, "forward passes of an exploration (slowfast)", low=2),
        "cache_delay": _number(int, "forward passes a finished block waits (cache=delayed)"),
        "refresh_interval": _number(int, "forward passes between full ones (prefix, dual, delayed)", low=1),
        "temperature": params.TEMPERATURE,
    },
    axis="threshold",
    points=params.CONFIDENCE_POINTS,
    one_token={"commit": "quota", "tokens_per_step": 1, "threshold": None},
    checkpoint="base",
    repairs=(params.MASK,),
)

METHODS = (CUSTOM,)
