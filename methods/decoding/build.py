"""Puts the policies together: one function a reference decoder, each in both fidelities."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from methods.decoding.blocks import MultiBlock, Sequential
from methods.decoding.caches import BlockCache, Delayed, NoCache
from methods.decoding.commit import Quota, Threshold
from methods.decoding.compat import CarriedQuota, Cut, FirstTokenOnly, LinearQuota, StopAtEos
from methods.decoding.compat_multi import Counted, MisalignedDelayed
from methods.decoding.policies import BlockPolicy, CachePolicy, CommitRule, StopPolicy
from methods.decoding.request import Decoder, divides
from methods.decoding.scores import Score
from methods.decoding.stops import FillTail, Ignore
from methods.errors import MethodsUsageError

SURE = Score("probability")
ENTROPY = Score("entropy")
ENTROPY_64 = Score("entropy", "float64", 1e-12)
TOP_K = 50  # transformers' default, which Dream's samplers pass on without wanting to


@dataclass(frozen=True)
class Setting:
    """Checked arguments of a reference decoder. length: tokens to generate, None where each request has its own."""

    arch: str
    compat: bool
    length: int | None
    values: Mapping[str, Any]

    def __getitem__(self, name: str) -> Any:
        return self.values.get(name)


def _decoder(
    s: Setting, blocks: BlockPolicy, cache: CachePolicy, commit: CommitRule, stop: StopPolicy, score: Score, **more: Any
) -> Decoder:
    """A decoder with the setting's special ids and temperature."""
    values = {name: value for name, value in more.items() if value is not None}
    if s["temperature"]:
        values["temperature"] = float(s["temperature"])
    eos = None if s["eos_id"] is None else (int(s["eos_id"]),)
    return Decoder(
        blocks, cache, commit, stop, score, values, s["mask_id"], eos, (divides("block_size", more["block_size"]),)
    )


def _blockwise(s: Setting) -> tuple[int, int]:
    """(block size, steps a block), with the references' assertions as sentences."""
    size = s["block_length"] or s.length or 0
    if s.length is None:
        return size, 0
    if s.length % size:
        raise MethodsUsageError(f"block_length={size} does not divide the generation length {s.length}.")
    count = s.length // size
    steps = s["steps"] or s.length
    if steps % count:
        raise MethodsUsageError(
            f"steps={steps} is not a multiple of the {count} blocks; take {max(1, steps // count) * count}."
        )
    return size, steps // count


def _sequential(
    s: Setting, score: Score, cut: Cut, cache: CachePolicy, *, least: int = 1, stop: StopPolicy | None = None
) -> Decoder:
    """Blocks in turn, by threshold or (threshold null) by quota."""
    size, steps = _blockwise(s)
    threshold = s["threshold"]
    rule: CommitRule = Quota()
    more: dict[str, Any] = {"steps": steps}
    refresh = s["refresh_interval"]
    if threshold is not None:
        rule = cut if s.compat else Threshold(confidence=cut.confidence)
        more = {"threshold": float(threshold)}
    elif s.compat and least > 1 and steps == 1:
        raise MethodsUsageError("One step a block without a threshold: the reference's cache decoders fail on it.")
    blocks = Sequential(least if s.compat else 1)
    more |= {"block_size": size, "refresh_interval": refresh}
    return _decoder(s, blocks, cache, rule, stop or Ignore(), score, **more)


def _score(s: Setting, kind: str, eps: float | None = None, top_k: int | None = None) -> Score:
    """The reference's arithmetic in compat, exact float32 otherwise.

    Dream's references rank in the model's dtype; float64 breaks the ties that this makes by the exact values.
    """
    return Score(kind, "float64", eps, top_k=top_k) if s.compat else Score(kind)


def _top_k(s: Setting) -> int | None:
    """How many tokens Dream's samplers keep: an explicit null is none, a missing argument is transformers' 50."""
    return s.values.get("top_k", TOP_K)


def llada_confidence(s: Setting) -> Decoder:
    """LLaDA's own decoding, and Fast-dLLM's confidence threshold."""
    return _sequential(s, _score(s, "probability"), Cut(False, confidence=True), NoCache())


def llada_confidence_prefix(s: Setting) -> Decoder:
    """Fast-dLLM with a prefix cache."""
    cache = BlockCache(dual=False)
    return _sequential(s, _score(s, "probability"), Cut(False, confidence=True), cache, least=2)


def llada_confidence_dual(s: Setting) -> Decoder:
    """Fast-dLLM with prefix and suffix cached."""
    cache = BlockCache(dual=True)
    return _sequential(s, _score(s, "probability"), Cut(False, confidence=True), cache, least=2)


def llada_entropy_prefix(s: Setting) -> Decoder:
    """Fast-dLLM's prefix cache with the entropy rule."""
    return _sequential(s, _score(s, "entropy", 1e-12), Cut(False), BlockCache(dual=False), least=2)


def llada_entropy_dual(s: Setting) -> Decoder:
    """Fast-dLLM's dual cache with the entropy rule."""
    return _sequential(s, _score(s, "entropy", 1e-12), Cut(False), BlockCache(dual=True), least=2)


def llada_entropy(s: Setting) -> Decoder:
    """dParallel and d3LLM in sequential blocks; without a threshold the quota goes by probability."""
    kind = "probability" if s["threshold"] is None else "entropy"
    return _sequential(s, _score(s, kind, 1e-12), Cut(False), NoCache())


def llada_tad(s: Setting) -> Decoder:
    """TAD's `generate`: strict, and the quota goes by entropy."""
    stop = (StopAtEos() if s.compat else FillTail()) if s["early_stop"] else Ignore()
    return _sequential(s, _score(s, "entropy", 1e-12), Cut(True, "if_none"), NoCache(), stop=stop)


def _multi(s: Setting, blocks: Counted, rule: Cut, score: Score, cache: CachePolicy) -> Decoder:
    """Pipelined blocks; the repaired decoder is the same for all four references."""
    size = s["block_size"] or 0
    threshold = 999.0 if s["threshold"] is None else float(s["threshold"])
    more = {name: float(s[name]) for name in ("block_add_threshold", "decoded_token_threshold")}
    if type(cache) is not NoCache:
        more |= {"cache_delay": s["cache_delay_iter"], "refresh_interval": s["refresh_interval"]}
    more |= {"threshold": threshold, "block_size": size}
    if not s.compat:
        stop = FillTail() if s["early_stop"] else Ignore()
        return _decoder(s, MultiBlock(), cache, Threshold(), stop, ENTROPY, **more)
    decoder = _decoder(s, blocks, cache, rule, Ignore(), score, **more)
    return Decoder(**{**vars(decoder), "need": ()})


def _counted(s: Setting, repair: str, **more: bool) -> Counted:
    return Counted(repair, bool(s["early_stop"]), **more)


def llada_multi_block(s: Setting) -> Decoder:
    """d3LLM without a cache."""
    return _multi(s, _counted(s, "d3llm"), Cut(False, "always", forced=True), ENTROPY_64, NoCache())


def llada_multi_block_kv(s: Setting) -> Decoder:
    """d3LLM with the delayed cache."""
    cache = MisalignedDelayed(go_on=False) if s.compat else Delayed()
    return _multi(s, _counted(s, "d3llm", cached=True), Cut(False, "always", forced=True), ENTROPY_64, cache)


def llada_tad_multi_block(s: Setting) -> Decoder:
    """TAD on LLaDA."""
    return _multi(s, _counted(s, "never"), Cut(True, "if_none", forced=True), ENTROPY_64, NoCache())


def dream_multi_block(s: Setting) -> Decoder:
    """d3LLM on Dream: only the forced token is guaranteed."""
    return _multi(s, _counted(s, "recount"), Cut(True, "never", forced=True), ENTROPY_64, NoCache())


def dream_multi_block_kv(s: Setting) -> Decoder:
    """d3LLM on Dream with the delayed cache; a delay of 10000 or more means none."""
    if s.compat and s["cache_delay_iter"] >= 10000:
        return dream_multi_block(s)
    cache = MisalignedDelayed(go_on=True) if s.compat else Delayed()
    blocks = _counted(s, "recount", cached=True, up=True)
    return _multi(s, blocks, Cut(True, "never", forced=True), ENTROPY_64, cache)


def dream_tad_multi_block(s: Setting) -> Decoder:
    """TAD on Dream, in the model's own precision."""
    score = Score("entropy", "float64", 1e-8)
    return _multi(s, _counted(s, "never", reopen=True), Cut(True, "always", forced=True), score, NoCache())


def _linear(s: Setting, score: Score, size: int, steps: int, stop: StopPolicy) -> Decoder:
    """Dream's quota schedule; repaired, an even split."""
    if not s.compat:
        return _decoder(s, Sequential(), NoCache(), Quota(), stop, score, block_size=size, steps=steps)
    more = {"block_size": size, "steps": steps, "eps": float(s["eps"])}
    return _decoder(s, Sequential(), NoCache(), LinearQuota(), stop, score, **more)


def _dream_score(s: Setting) -> Score:
    """The score of a Dream quota algorithm, in the model's own precision in compat."""
    kind = {"entropy": "entropy", "topk_margin": "margin"}.get(s["alg"], "probability")
    if not s.compat:
        return Score(kind, tempered=True)
    return Score(kind, "float64", 1e-10 if kind == "entropy" else None, tempered=True, top_k=_top_k(s))


def dream_vanilla(s: Setting) -> Decoder:
    """Dream's own sampler: the whole generation at once."""
    length = s.length or 0
    return _linear(s, _dream_score(s), length, s["steps"] or length, Ignore())


def dream_confidence_threshold(s: Setting) -> Decoder:
    """Dream's `confidence_threshold`; repaired, a plain threshold over the whole generation."""
    length = s.length or 0
    steps, limit = s["steps"] or length, float(s["threshold"])
    if not s.compat:
        rule = Threshold(confidence=True)
        return _decoder(s, Sequential(), NoCache(), rule, Ignore(), SURE, block_size=length, threshold=limit)
    if length % steps:
        raise MethodsUsageError(f"steps={steps} does not divide the {length} masks, which the reference requires.")
    more: dict[str, Any] = {"threshold": limit, "steps": steps, "block_size": length}
    return _decoder(
        s, Sequential(), NoCache(), CarriedQuota(), Ignore(), _score(s, "probability", top_k=_top_k(s)), **more
    )


def _dream_fast(s: Setting, dual: bool) -> Decoder:
    """Fast-dLLM on Dream. In compat `refresh_interval` has no effect: the reference has none."""
    size, steps = _blockwise(s)
    quota = s["alg"] != "confidence_threshold"
    if s["threshold"] is None and not quota:
        raise MethodsUsageError("threshold=none is not allowed with alg=confidence_threshold; give one such as 0.9.")
    if not s.compat:
        rule: CommitRule = Quota() if quota else Threshold(confidence=True)
        more = {"steps": steps} if quota else {"threshold": float(s["threshold"])}
        more["refresh_interval"] = s["refresh_interval"]
        score = ENTROPY if quota else SURE
        return _decoder(s, Sequential(), BlockCache(dual), rule, Ignore(), score, block_size=size, **more)
    cache = BlockCache(dual, exact=False)
    blocks = FirstTokenOnly(least=2, quota=quota)
    if quota:
        more = {"steps": steps, "eps": float(s["eps"]), "block_size": size}
        return _decoder(s, blocks, cache, LinearQuota(True), Ignore(), _score(s, "entropy", 1e-10, _top_k(s)), **more)
    more = {"threshold": float(s["threshold"]), "block_size": size}
    return _decoder(
        s, blocks, cache, Cut(False, confidence=True), Ignore(), _score(s, "probability", top_k=_top_k(s)), **more
    )


def dream_prefix(s: Setting) -> Decoder:
    """Fast-dLLM on Dream with a prefix cache."""
    return _dream_fast(s, dual=False)


def dream_dual(s: Setting) -> Decoder:
    """Fast-dLLM on Dream with prefix and suffix cached."""
    return _dream_fast(s, dual=True)


def dream_entropy(s: Setting) -> Decoder:
    """dParallel and d3LLM's sequential sampler on Dream."""
    return _sequential(s, _score(s, "entropy", 1e-8), Cut(True), NoCache())


def dream_tad(s: Setting) -> Decoder:
    """TAD's sequential sampler on Dream: thresholds, or Dream's quota schedule block by block."""
    stop = (StopAtEos() if s.compat else FillTail()) if s["early_stop"] else Ignore()
    if s["alg"] == "entropy_threshold":
        return _sequential(s, _score(s, "entropy", 1e-10, _top_k(s)), Cut(False), NoCache(), stop=stop)
    if s["alg"] == "confidence_threshold":
        score = _score(s, "probability", top_k=_top_k(s))
        return _sequential(s, score, Cut(False, confidence=True), NoCache(), stop=stop)
    size, steps = _blockwise(s)
    return _linear(s, _dream_score(s), size, steps, stop)
