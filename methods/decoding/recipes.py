"""Builds the decoder of each method file from its settings: `function(settings, arch, fidelity) -> Decoder`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from methods.decoding import build
from methods.decoding.block_ar import V2Blocks, V2Cache
from methods.decoding.blocks import Sequential
from methods.decoding.build import Setting
from methods.decoding.caches import BlockCache, BlockCausal, Causal, NoCache
from methods.decoding.commit import Factor, PerBlock, Quota, Threshold
from methods.decoding.compat import LinearQuota
from methods.decoding.growing import Growing, OneByOne
from methods.decoding.policies import CachePolicy, CommitRule
from methods.decoding.request import Decoder, divides
from methods.decoding.scores import Score
from methods.decoding.speculative import PromptLookup
from methods.decoding.stops import EndRow, FillTail, Ignore
from methods.errors import MethodsUsageError

Settings = Mapping[str, Any]
RENAMED = {"cache_delay": "cache_delay_iter"}


def _setting(settings: Settings, arch: str, fidelity: str, **more: Any) -> Setting:
    """The references' names for a method's settings; the generation length is each request's own."""
    values = {RENAMED.get(name, name): value for name, value in settings.items()}
    return Setting(arch, fidelity == "compat", None, {**values, "block_length": values.get("block_size"), **more})


def _values(settings: Settings, *names: str) -> dict[str, float | int | bool]:
    """The numbers of a decoder, with the temperature where it is not 0.

    Raises MethodsUsageError for a `top_p` that nothing would read.
    """
    values = {name: settings[name] for name in names if settings.get(name) is not None}
    top_p = float(settings.get("top_p", 1.0))
    if settings.get("temperature"):
        values["temperature"] = float(settings["temperature"])
        if top_p < 1:
            values["top_p"] = top_p
    elif top_p < 1:
        raise MethodsUsageError(
            f"top_p={top_p:g} needs a temperature above 0, nothing is drawn without one; set temperature, or top_p=1."
        )
    return values


def vanilla(settings: Settings, arch: str, fidelity: str) -> Decoder:
    """A quota of the surest slots a forward."""
    size = settings["block_size"] or 0
    values = {**_values(settings, "tokens_per_step"), "block_size": size}
    kind, compat = settings["score"], fidelity == "compat"
    if compat and arch == "dream":
        eps = 1e-10 if kind == "entropy" else None
        score = Score(kind, "float64", eps, tempered=True, top_k=build.TOP_K)
        rule: CommitRule = LinearQuota()
        values["eps"] = 1e-3
    else:
        score, rule = Score(kind, "float64" if compat else "float32", tempered=arch == "dream"), Quota()
    need = (divides("block_size", size),)
    return Decoder(Sequential(), NoCache(), rule, Ignore(), score, values, need=need)


def fast_dllm_prefix(settings: Settings, arch: str, fidelity: str) -> Decoder:
    """Confidence threshold, prefix cached."""
    setting = _setting(settings, arch, fidelity, alg="confidence_threshold")
    return build.dream_prefix(setting) if arch == "dream" else build.llada_confidence_prefix(setting)


def fast_dllm_dual(settings: Settings, arch: str, fidelity: str) -> Decoder:
    """Confidence threshold, prefix and suffix cached."""
    setting = _setting(settings, arch, fidelity, alg="confidence_threshold")
    return build.dream_dual(setting) if arch == "dream" else build.llada_confidence_dual(setting)


def fast_dllm_factor(settings: Settings, arch: str, fidelity: str) -> Decoder:
    """The factor rule over any of the three caches."""
    compat = fidelity == "compat"
    cache: CachePolicy = NoCache()
    if settings["cache"] != "none":
        cache = BlockCache(settings["cache"] == "dual", exact=not compat)
    least = 2 if compat and settings["cache"] != "none" else 1
    score = Score("probability", "float64" if compat else "float32")
    size = settings["block_size"]
    values = _values(settings, "factor", "block_size", "refresh_interval")
    need = (divides("block_size", size),)
    return Decoder(Sequential(least), cache, Factor(upstream=compat), Ignore(), score, values, need=need)


def dparallel(settings: Settings, arch: str, fidelity: str) -> Decoder:
    """Sequential blocks, entropy threshold."""
    setting = _setting(settings, arch, fidelity)
    return build.dream_entropy(setting) if arch == "dream" else build.llada_entropy(setting)


def d3llm(settings: Settings, arch: str, fidelity: str) -> Decoder:
    """Multi-block, no cache."""
    setting = _setting(settings, arch, fidelity)
    return build.dream_multi_block(setting) if arch == "dream" else build.llada_multi_block(setting)


def d3llm_cache(settings: Settings, arch: str, fidelity: str) -> Decoder:
    """Multi-block with the delayed cache."""
    setting = _setting(settings, arch, fidelity)
    return build.dream_multi_block_kv(setting) if arch == "dream" else build.llada_multi_block_kv(setting)


def tad(settings: Settings, arch: str, fidelity: str) -> Decoder:
    """TAD's multi-block decoding."""
    setting = _setting(settings, arch, fidelity)
    return build.dream_tad_multi_block(setting) if arch == "dream" else build.llada_tad_multi_block(setting)


def d2f(settings: Settings, arch: str, fidelity: str) -> Decoder:
    """Growing canvas, block-causal attention, one rule a block."""
    names = ("threshold", "block_size", "block_add_threshold", "decoded_token_threshold")
    need = (divides("block_size", settings["block_size"]),)
    blocks = Growing(phantom=fidelity == "compat")
    cache = BlockCausal(cached=settings["cache"])
    return Decoder(blocks, cache, PerBlock(), Ignore(), build.SURE, _values(settings, *names), need=need)


def fast_dllm_v2(settings: Settings, arch: str, fidelity: str) -> Decoder:
    """An autoregressive model turned block diffusion. Raises MethodsUsageError for compat: there is no such decoder."""
    if fidelity == "compat":
        raise MethodsUsageError(
            "fast_dllm_v2 has no compat fidelity: its reference's quirks are not modelled; leave --fidelity out."
        )
    values = _values(settings, "threshold", "block_size", "sub_block_size")
    rule = Threshold(confidence=True)
    return Decoder(V2Blocks(), V2Cache(aligned=True), rule, FillTail(), build.SURE, values, family="block")


def ar(settings: Settings, arch: str, fidelity: str) -> Decoder:
    """Left to right, cached."""
    values = {**_values(settings), "threshold": 1.0}
    return Decoder(OneByOne(), Causal(), Threshold(confidence=True), EndRow(), build.SURE, values, family="ar")


def ar_speculative(settings: Settings, arch: str, fidelity: str) -> Decoder:
    """transformers' own lossless speculative decoding."""
    return Decoder(family="ar", engine=PromptLookup(settings["draft_tokens"], settings["ngram"]))
