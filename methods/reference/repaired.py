"""The repaired decoder of the idea behind a published one, under its authors' arguments.

`harness decode` offers it so that one file of prompts can be decoded with the defects and without. Methods do not
come by here: their decoders are in `methods.catalog`.
"""

from __future__ import annotations

from typing import Any

from methods.decoding import (
    BlockCache,
    Decoder,
    Delayed,
    FillTail,
    Ignore,
    MultiBlock,
    NoCache,
    Score,
    Sequential,
    Threshold,
)
from methods.decoding.policies import CachePolicy, StopPolicy
from methods.reference.assembly import threshold
from methods.reference.commit import StepQuota
from methods.reference.setting import Setting, assemble, blockwise, multi_block_values


def repaired(name: str, s: Setting) -> Decoder:
    """The repaired decoder of the published one called `name`."""
    arch, _, idea = name.partition(".")
    if "multi_block" in idea:
        return _multi_block(s, cached=idea.endswith("_kv"))
    stop: StopPolicy = FillTail() if s["early_stop"] else Ignore()
    cache: CachePolicy = NoCache()
    if idea.endswith("_cache"):
        cache = BlockCache(dual="dual" in idea)
    if arch == "dream":
        return _dream(idea, s, cache, stop)
    kind = "entropy" if idea.startswith("entropy") or idea == "tad_generate" else "probability"
    if idea == "entropy_threshold" and s["threshold"] is None:
        kind = "probability"
    return _sequential(s, kind, cache, stop)


def _sequential(s: Setting, kind: str, cache: CachePolicy, stop: StopPolicy) -> Decoder:
    """Blocks in turn, by threshold or (threshold null) by quota."""
    size, steps = blockwise(s)
    if s["threshold"] is None:
        return assemble(s, Sequential(), cache, StepQuota(), stop, Score(kind), steps=steps, block_size=size)
    rule = Threshold(confidence=kind == "probability")
    values = {"threshold": float(s["threshold"]), "block_size": size}
    return assemble(s, Sequential(), cache, rule, stop, Score(kind), **values)


def _dream(idea: str, s: Setting, cache: CachePolicy, stop: StopPolicy) -> Decoder:
    """Dream's samplers: thresholds, or an even quota over `steps`."""
    if idea in ("vanilla", "confidence_threshold"):
        size = s.length or 0
        steps = s["steps"] or size
    else:
        size, steps = blockwise(s)
    alg = s["alg"]
    more: dict[str, Any] = {"block_size": size}
    if alg == "entropy_threshold":
        return _sequential(s, "entropy", cache, stop)
    if alg == "confidence_threshold" and idea == "tad_generate":
        return _sequential(s, "probability", cache, stop)
    if alg == "confidence_threshold":
        more["threshold"] = threshold(s)
        return assemble(s, Sequential(), cache, Threshold(confidence=True), stop, Score("probability"), **more)
    kind = {"entropy": "entropy", "topk_margin": "margin"}.get(alg, "probability")
    score = Score("entropy") if idea.startswith("fast") else Score(kind, tempered=True)
    return assemble(s, Sequential(), cache, StepQuota(), stop, score, steps=steps, **more)


def _multi_block(s: Setting, *, cached: bool) -> Decoder:
    """Pipelined blocks; the same for d3LLM and TAD, on LLaDA and Dream."""
    stop: StopPolicy = FillTail() if s["early_stop"] else Ignore()
    cache: CachePolicy = Delayed() if cached else NoCache()
    values = multi_block_values(s, cached=cached)
    return assemble(s, MultiBlock(), cache, Threshold(), stop, Score("entropy"), **values)
