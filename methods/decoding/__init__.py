"""The decoding engine: one loop, four policies, one counter. Method authors import from here, nothing deeper.

Names are loaded when they are first used, so that `methods.decoding.forwards` can be imported without torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from methods.decoding.adaptive import AdaBlocks, SlowFast
    from methods.decoding.appended import Appended
    from methods.decoding.block_ar import V2Blocks, V2Cache
    from methods.decoding.blocks import Growing, MultiBlock, OneByOne, Sequential
    from methods.decoding.caches import BlockCache, BlockCausal, Causal, Delayed, NoCache
    from methods.decoding.commit import Factor, PerBlock, Quota, Threshold, lowest, progress, ranked
    from methods.decoding.credit import Credit
    from methods.decoding.decoder import Decoder, ExternalDecoder, Request, Result, divides, numbers, schedules
    from methods.decoding.early_exit import EarlyExit, Prefilled, TopGap
    from methods.decoding.editing import JointThreshold, RepeatPenalty, Settled
    from methods.decoding.engine import begin, decode
    from methods.decoding.eos import EndRow, FillTail, Ignore
    from methods.decoding.forwards import KINDS, total_forwards
    from methods.decoding.noise import gumbel
    from methods.decoding.policies import BlockPolicy, CachePolicy, CommitRule, Policy, Scorer, StopPolicy, whole_canvas
    from methods.decoding.rules import EntropyBudget, Neighbourhood
    from methods.decoding.saber import AdaptiveBar, Remasking
    from methods.decoding.scores import Score
    from methods.decoding.speculative import PromptLookup
    from methods.decoding.state import Plan, Shape, State
    from methods.decoding.stillness import Ahead, Stillness, SureAndStill
    from methods.decoding.wino import Drafted, Shadowed, Verified

_MODULES = {
    "adaptive": ("AdaBlocks", "SlowFast"),
    "appended": ("Appended",),
    "block_ar": ("V2Blocks", "V2Cache"),
    "blocks": ("Growing", "MultiBlock", "OneByOne", "Sequential"),
    "caches": ("BlockCache", "BlockCausal", "Causal", "Delayed", "NoCache"),
    "commit": ("Factor", "PerBlock", "Quota", "Threshold", "lowest", "progress", "ranked"),
    "credit": ("Credit",),
    "decoder": ("Decoder", "ExternalDecoder", "Request", "Result", "divides", "numbers", "schedules"),
    "early_exit": ("EarlyExit", "Prefilled", "TopGap"),
    "editing": ("JointThreshold", "RepeatPenalty", "Settled"),
    "engine": ("begin", "decode"),
    "eos": ("EndRow", "FillTail", "Ignore"),
    "forwards": ("KINDS", "total_forwards"),
    "noise": ("gumbel",),
    "policies": ("BlockPolicy", "CachePolicy", "CommitRule", "Policy", "Scorer", "StopPolicy", "whole_canvas"),
    "rules": ("EntropyBudget", "Neighbourhood"),
    "saber": ("AdaptiveBar", "Remasking"),
    "scores": ("Score",),
    "speculative": ("PromptLookup",),
    "state": ("Plan", "Shape", "State"),
    "stillness": ("Ahead", "Stillness", "SureAndStill"),
    "wino": ("Drafted", "Shadowed", "Verified"),
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}

__all__ = [
    "KINDS",
    "AdaBlocks",
    "AdaptiveBar",
    "Ahead",
    "Appended",
    "BlockCache",
    "BlockCausal",
    "BlockPolicy",
    "CachePolicy",
    "Causal",
    "CommitRule",
    "Credit",
    "Decoder",
    "Delayed",
    "Drafted",
    "EarlyExit",
    "EndRow",
    "EntropyBudget",
    "ExternalDecoder",
    "Factor",
    "FillTail",
    "Growing",
    "Ignore",
    "JointThreshold",
    "MultiBlock",
    "Neighbourhood",
    "NoCache",
    "OneByOne",
    "PerBlock",
    "Plan",
    "Policy",
    "Prefilled",
    "PromptLookup",
    "Quota",
    "Remasking",
    "RepeatPenalty",
    "Request",
    "Result",
    "Score",
    "Scorer",
    "Sequential",
    "Settled",
    "Shadowed",
    "Shape",
    "SlowFast",
    "State",
    "Stillness",
    "StopPolicy",
    "SureAndStill",
    "Threshold",
    "TopGap",
    "V2Blocks",
    "V2Cache",
    "Verified",
    "begin",
    "decode",
    "divides",
    "gumbel",
    "lowest",
    "numbers",
    "progress",
    "ranked",
    "schedules",
    "total_forwards",
    "whole_canvas",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
