"""From a method's settings to the published decoder behind it: what `Method.reference` names, for `compat`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from methods.decoding.blocks import Sequential
from methods.decoding.caches import BlockCausal, NoCache
from methods.decoding.commit import CommitRule, PerBlock, Quota
from methods.decoding.decoder import Decoder, divides, numbers
from methods.decoding.eos import Ignore
from methods.decoding.scores import Score
from methods.errors import unknown
from methods.reference import training_free
from methods.reference.assembly import dream_quota_score
from methods.reference.blocks import PhantomGrowing, SelfScoredBlockCache, TokenizerFillTail, TwoForwards
from methods.reference.commit import LinearQuota, ReferenceFactor, ReferenceScore
from methods.reference.published import PUBLISHED
from methods.reference.saber import OverreachingBar, ScoredThroughout
from methods.reference.setting import Setting

Settings = Mapping[str, Any]


def published_decoder(name: str, settings: Settings) -> Decoder:
    """The published decoder `name` for a method's settings; the generation length is each request's own.

    Raises MethodsUsageError for an unknown name and for settings that do not go together.
    """
    if name in _BY_METHOD:
        return _ending(_BY_METHOD[name](settings), settings)
    if name not in PUBLISHED:
        raise unknown("published decoder", name, [*PUBLISHED, *_BY_METHOD])
    values = dict(settings)
    values["block_length"] = settings.get("block_size")
    values["cache_delay_iter"] = settings.get("cache_delay")
    values["alg"] = "confidence_threshold"  # read by Fast-dLLM on Dream alone, whose methods go by a threshold
    values["top_k"] = None  # what the published evaluators pass; left out, transformers' 50 would act
    decoder = PUBLISHED[name].builder(Setting(None, values))
    return decoder if "early_stop" in PUBLISHED[name].params else _ending(decoder, settings)


def _ending(decoder: Decoder, settings: Settings) -> Decoder:
    """A published decoder without an early stop of its own, with one where the settings ask for it."""
    return replace(decoder, stop=TokenizerFillTail()) if settings.get("early_stop") else decoder


def _vanilla(settings: Settings, rule: CommitRule, score: ReferenceScore, **more: float) -> Decoder:
    size = settings["block_size"] or 0
    values = {**numbers(settings, "tokens_per_step"), "block_size": size, **more}
    need = (divides("block_size", size),)
    return Decoder(Sequential(), NoCache(), rule, Ignore(), score, values, need=need)


def _llada_vanilla(settings: Settings) -> Decoder:
    """LLaDA's schedule, with the tokens per forward given and not the steps."""
    return _vanilla(settings, Quota(), ReferenceScore(settings["score"]))


def _dream_vanilla(settings: Settings) -> Decoder:
    """Dream's schedule, likewise."""
    score = dream_quota_score(settings["score"], Setting(None, {"top_k": None}))
    return _vanilla(settings, LinearQuota(), score, eps=1e-3)


def _factor(settings: Settings) -> Decoder:
    """Fast-dLLM's factor rule; no recorded output checks it."""
    cached, dual = settings["cache"] != "none", settings["cache"] == "dual"
    return Decoder(
        blocks=TwoForwards() if cached else Sequential(),
        cache=SelfScoredBlockCache(dual) if cached else NoCache(),
        commit=ReferenceFactor(),
        stop=Ignore(),
        score=ReferenceScore("probability"),
        values=numbers(settings, "factor", "block_size", "refresh_interval"),
        need=(divides("block_size", settings["block_size"]),),
    )


def _d2f(settings: Settings) -> Decoder:
    """D2F with its count of forwards; no recorded output checks it."""
    names = ("threshold", "block_size", "block_add_threshold", "decoded_token_threshold")
    return Decoder(
        blocks=PhantomGrowing(),
        cache=BlockCausal(cached=settings["cache"]),
        commit=PerBlock(),
        stop=Ignore(),
        score=Score("probability"),
        values=numbers(settings, *names),
        need=(divides("block_size", settings["block_size"]),),
    )


def _saber(settings: Settings) -> Decoder:
    """Saber with its top-k as published."""
    return Decoder(
        blocks=ScoredThroughout(),
        cache=NoCache(),
        commit=OverreachingBar(),
        stop=Ignore(),
        score=ReferenceScore("probability"),
        values=numbers(settings, "n", "block_size"),
        need=(divides("block_size", settings["block_size"]),),
    )


_BY_METHOD: dict[str, Callable[[Settings], Decoder]] = {
    "llada.vanilla": _llada_vanilla,
    "dream.vanilla": _dream_vanilla,
    "fast_dllm.factor": _factor,
    "d2f": _d2f,
    "eb_sampler": training_free.eb_sampler,
    "localleap": training_free.localleap,
    "credit": training_free.credit,
    "adablock": training_free.adablock,
    "slowfast": training_free.slowfast,
    "prophet": training_free.prophet,
    "klass": training_free.klass,
    "saber": _saber,
}
