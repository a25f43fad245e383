"""Puts the published decoders together from their policies: one function per name."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from methods.decoding.blocks import Sequential
from methods.decoding.caches import BlockCache, NoCache
from methods.decoding.decoder import Decoder
from methods.decoding.eos import Ignore
from methods.decoding.policies import BlockPolicy, CachePolicy, CommitRule, StopPolicy
from methods.errors import MethodsUsageError
from methods.reference.blocks import FirstTokenOnly, SelfScoredBlockCache, StopAtEos, TwoForwards
from methods.reference.commit import CarriedQuota, LinearQuota, ReferenceScore, ReferenceThreshold, StepQuota
from methods.reference.multi_block import MisalignedDelayed, StaleCountMultiBlock
from methods.reference.setting import Setting, assemble, blockwise, multi_block_values

TOP_K = 50  # transformers' default, which acts where a caller of Dream's samplers leaves `top_k` out
CONFIDENCE = ReferenceThreshold(False, confidence=True)


def _top_k(s: Setting) -> int | None:
    """How many tokens Dream's samplers keep: an explicit null is none, a missing argument is transformers' 50."""
    return s.values.get("top_k", TOP_K)


def _stop(s: Setting) -> StopPolicy:
    return StopAtEos() if s["early_stop"] else Ignore()


def _sequential(
    s: Setting,
    score: ReferenceScore,
    rule: CommitRule,
    *,
    cache: CachePolicy | None = None,
    stop: StopPolicy | None = None,
) -> Decoder:
    """Blocks in turn, by threshold or (threshold null) by quota; with a cache a block gets two forwards at least."""
    size, steps = blockwise(s)
    more: dict[str, Any] = {"threshold": s["threshold"]}
    if s["threshold"] is None:
        rule, more = StepQuota(), {"steps": steps}
        if cache and steps == 1:
            raise MethodsUsageError("One step a block without a threshold: the reference's cache decoders fail on it.")
    else:
        more["threshold"] = float(s["threshold"])
    blocks: BlockPolicy = TwoForwards() if cache else Sequential()
    more |= {"block_size": size, "refresh_interval": s["refresh_interval"]}
    return assemble(s, blocks, cache or NoCache(), rule, stop or Ignore(), score, **more)


def llada_confidence(s: Setting) -> Decoder:
    """LLaDA's own decoding, and Fast-dLLM's confidence threshold."""
    return _sequential(s, ReferenceScore("probability"), CONFIDENCE)


def llada_confidence_prefix(s: Setting) -> Decoder:
    """Fast-dLLM with a prefix cache."""
    return _sequential(s, ReferenceScore("probability"), CONFIDENCE, cache=BlockCache(dual=False))


def llada_confidence_dual(s: Setting) -> Decoder:
    """Fast-dLLM with prefix and suffix cached."""
    return _sequential(s, ReferenceScore("probability"), CONFIDENCE, cache=BlockCache(dual=True))


def llada_entropy_prefix(s: Setting) -> Decoder:
    """Fast-dLLM's prefix cache with the entropy rule."""
    return _sequential(s, ReferenceScore("entropy", eps=1e-12), ReferenceThreshold(False), cache=BlockCache(dual=False))


def llada_entropy_dual(s: Setting) -> Decoder:
    """Fast-dLLM's dual cache with the entropy rule."""
    return _sequential(s, ReferenceScore("entropy", eps=1e-12), ReferenceThreshold(False), cache=BlockCache(dual=True))


def llada_entropy(s: Setting) -> Decoder:
    """dParallel and d3LLM in sequential blocks; without a threshold the quota goes by probability."""
    kind = "probability" if s["threshold"] is None else "entropy"
    return _sequential(s, ReferenceScore(kind, eps=1e-12), ReferenceThreshold(False))


def llada_tad(s: Setting) -> Decoder:
    """TAD's `generate`: strict, and the quota goes by entropy."""
    return _sequential(s, ReferenceScore("entropy", eps=1e-12), ReferenceThreshold(True, "if_none"), stop=_stop(s))


def _multi(
    s: Setting,
    blocks: StaleCountMultiBlock,
    rule: ReferenceThreshold,
    cache: MisalignedDelayed | None = None,
    eps: float = 1e-12,
) -> Decoder:
    """Pipelined blocks, of any size."""
    values, score = multi_block_values(s, cached=cache is not None), ReferenceScore("entropy", eps=eps)
    decoder = assemble(s, blocks, cache or NoCache(), rule, Ignore(), score, **values)
    return replace(decoder, need=())


def _stale(s: Setting, repair: str, **more: bool) -> StaleCountMultiBlock:
    return StaleCountMultiBlock(repair, bool(s["early_stop"]), **more)


def llada_multi_block(s: Setting) -> Decoder:
    """d3LLM without a cache."""
    return _multi(s, _stale(s, "d3llm"), ReferenceThreshold(False, "always", forced=True))


def llada_multi_block_kv(s: Setting) -> Decoder:
    """d3LLM with the delayed cache."""
    rule = ReferenceThreshold(False, "always", forced=True)
    return _multi(s, _stale(s, "d3llm", cached=True), rule, MisalignedDelayed(go_on=False))


def llada_tad_multi_block(s: Setting) -> Decoder:
    """TAD on LLaDA."""
    return _multi(s, _stale(s, "never"), ReferenceThreshold(True, "if_none", forced=True))


def dream_multi_block(s: Setting) -> Decoder:
    """d3LLM on Dream: only the forced token is guaranteed."""
    return _multi(s, _stale(s, "recount"), ReferenceThreshold(True, "never", forced=True))


def dream_multi_block_kv(s: Setting) -> Decoder:
    """d3LLM on Dream with the delayed cache; a delay of 10000 or more means none."""
    if s["cache_delay_iter"] >= 10000:
        return dream_multi_block(s)
    blocks = _stale(s, "recount", cached=True, up=True)
    return _multi(s, blocks, ReferenceThreshold(True, "never", forced=True), MisalignedDelayed(go_on=True))


def dream_tad_multi_block(s: Setting) -> Decoder:
    """TAD on Dream, in the model's own precision."""
    rule = ReferenceThreshold(True, "always", forced=True)
    return _multi(s, _stale(s, "never", reopen=True), rule, eps=1e-8)


def dream_quota_score(kind: str, s: Setting) -> ReferenceScore:
    """The score of Dream's quota schedules, read after temperature, top-p and top-k."""
    return ReferenceScore(kind, tempered=True, eps=1e-10 if kind == "entropy" else None, top_k=_top_k(s))


def _linear(s: Setting, size: int, steps: int, stop: StopPolicy) -> Decoder:
    """Dream's quota schedule, in the model's own precision."""
    kind = {"entropy": "entropy", "topk_margin": "margin"}.get(s["alg"], "probability")
    values = {"block_size": size, "steps": steps, "eps": float(s["eps"])}
    return assemble(s, Sequential(), NoCache(), LinearQuota(), stop, dream_quota_score(kind, s), **values)


def dream_vanilla(s: Setting) -> Decoder:
    """Dream's own sampler: the whole generation at once."""
    length = s.length or 0
    return _linear(s, length, s["steps"] or length, Ignore())


def dream_confidence_threshold(s: Setting) -> Decoder:
    """Dream's `confidence_threshold` over the whole generation."""
    length = s.length or 0
    steps = s["steps"] or length
    if length % steps:
        raise MethodsUsageError(f"steps={steps} does not divide the {length} masks, which the reference requires.")
    values = {"threshold": float(s["threshold"]), "steps": steps, "block_size": length}
    score = ReferenceScore("probability", top_k=_top_k(s))
    return assemble(s, Sequential(), NoCache(), CarriedQuota(), Ignore(), score, **values)


def _dream_fast(s: Setting, dual: bool) -> Decoder:
    """Fast-dLLM on Dream. `refresh_interval` has no effect: the reference has none."""
    size, steps = blockwise(s)
    quota = s["alg"] != "confidence_threshold"
    blocks, cache = FirstTokenOnly(quota=quota), SelfScoredBlockCache(dual)
    if quota:
        score = ReferenceScore("entropy", eps=1e-10, top_k=_top_k(s))
        values = {"steps": steps, "eps": float(s["eps"]), "block_size": size}
        return assemble(s, blocks, cache, LinearQuota(True), Ignore(), score, **values)
    score = ReferenceScore("probability", top_k=_top_k(s))
    values = {"threshold": threshold(s), "block_size": size}
    return assemble(s, blocks, cache, CONFIDENCE, Ignore(), score, **values)


def threshold(s: Setting) -> float:
    """The threshold of Fast-dLLM on Dream, which has to be there. Raises MethodsUsageError otherwise."""
    if s["threshold"] is None:
        raise MethodsUsageError("threshold=none is not allowed with alg=confidence_threshold; give one such as 0.9.")
    return float(s["threshold"])


def dream_prefix(s: Setting) -> Decoder:
    """Fast-dLLM on Dream with a prefix cache."""
    return _dream_fast(s, dual=False)


def dream_dual(s: Setting) -> Decoder:
    """Fast-dLLM on Dream with prefix and suffix cached."""
    return _dream_fast(s, dual=True)


def dream_entropy(s: Setting) -> Decoder:
    """dParallel and d3LLM's sequential sampler on Dream."""
    return _sequential(s, ReferenceScore("entropy", eps=1e-8), ReferenceThreshold(True))


def dream_tad(s: Setting) -> Decoder:
    """TAD's sequential sampler on Dream: thresholds, or Dream's quota schedule block by block."""
    if s["alg"] == "entropy_threshold":
        score = ReferenceScore("entropy", eps=1e-10, top_k=_top_k(s))
        return _sequential(s, score, ReferenceThreshold(False), stop=_stop(s))
    if s["alg"] == "confidence_threshold":
        return _sequential(s, ReferenceScore("probability", top_k=_top_k(s)), CONFIDENCE, stop=_stop(s))
    size, steps = blockwise(s)
    return _linear(s, size, steps, _stop(s))
