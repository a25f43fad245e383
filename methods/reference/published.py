"""The published decoders by name (`llada.multi_block`, `dream.fast_dual_cache`, ...) with their own arguments.

`compat` gives what the published code does, `fixed` the repaired decoder of the same idea. Argument defaults are the
references': d3LLM e5bfcac, TAD 5e2aaf8, Fast-dLLM 24cc59e. `harness decode` and the golden tests come in here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from methods.decoding.decoder import Decoder
from methods.errors import MethodsUsageError, unknown
from methods.method import FIDELITIES, Param
from methods.reference import assembly
from methods.reference.repaired import repaired
from methods.reference.setting import Setting

LENGTH = Param(int, 128, "tokens to generate", low=1)
BLOCK = Param(int, 32, "slots of a block", low=1, none=True)
STEPS = Param(int, None, "forwards for the whole generation (quota decoding)", low=1, none=True)
SHARE: dict[str, Any] = {"low": 0.0, "high": 1.0}
COMMON = {
    "temperature": Param(float, 0.0, "sampling temperature", low=0.0),
    "mask_id": Param(int, None, "the mask token, if not the checkpoint's", low=0, none=True),
    "eos_id": Param(int, None, "the EOS token, if not the checkpoint's", low=0, none=True),
    "remasking": Param(str, "low_confidence", "what ranks the slots", choices=("low_confidence",)),
    "fidelity": Param(str, "fixed", "reference behaviour or its repair", choices=FIDELITIES),
}
EARLY = {"early_stop": Param(bool, False, "fill the tail behind the first EOS")}
PIPE = {
    "max_new_tokens": LENGTH,
    "steps": STEPS,
    "block_size": BLOCK,
    "block_add_threshold": Param(float, 0.5, "decoded share of the last block that creates the next", **SHARE),
    "decoded_token_threshold": Param(float, 0.5, "decoded share that activates the next block", **SHARE),
    **EARLY,
}
CACHE = {
    "cache_delay_iter": Param(int, 10000, "forwards a finished block waits", low=0),
    "refresh_interval": Param(int, 10000, "forwards between full refreshes", low=1),
}


def _limit(default: float | None, *, none: bool = True) -> dict[str, Param]:
    return {"threshold": Param(float, default, "what a slot must pass", none=none)}


def _alg(*names: str) -> dict[str, Param]:
    return {"alg": Param(str, names[0], "commit rule", choices=names)}


def _llada(default: float | None, *, early: bool = False) -> dict[str, Param]:
    length = {"gen_length": LENGTH, "steps": STEPS, "block_length": BLOCK}
    return length | _limit(default) | (EARLY if early else {})


_DREAM = {"max_new_tokens": LENGTH, "steps": STEPS, "eps": Param(float, 1e-3, "end of the schedule", low=0.0, high=1.0)}
_BLOCKS = {"block_length": BLOCK}
_TOP_K = {"top_k": Param(int, assembly.TOP_K, "best tokens kept before the score (compat)", low=1, none=True)}
_QUOTAS = ("entropy", "maskgit_plus", "topk_margin")
_FAST = _DREAM | _BLOCKS | _TOP_K | _limit(0.9) | _alg("confidence_threshold", *_QUOTAS)


@dataclass(frozen=True)
class Published:
    """A published decoder: its arguments and how it is built. reports_nfe: it returns a count of its forwards."""

    params: Mapping[str, Param]
    builder: Callable[[Setting], Decoder]
    reports_nfe: bool = True


PUBLISHED: dict[str, Published] = {
    "llada.vanilla": Published(_llada(None), assembly.llada_confidence),
    "llada.confidence_threshold": Published(_llada(0.9), assembly.llada_confidence),
    "llada.fast_prefix_cache": Published(_llada(None), assembly.llada_confidence_prefix),
    "llada.fast_dual_cache": Published(_llada(None), assembly.llada_confidence_dual),
    "llada.entropy_prefix_cache": Published(_llada(None), assembly.llada_entropy_prefix),
    "llada.entropy_dual_cache": Published(_llada(None), assembly.llada_entropy_dual),
    "llada.entropy_threshold": Published(_llada(None), assembly.llada_entropy),
    "llada.multi_block": Published(PIPE | _limit(0.5), assembly.llada_multi_block),
    "llada.multi_block_kv": Published(PIPE | CACHE | _limit(0.5), assembly.llada_multi_block_kv),
    "llada.tad_generate": Published(_llada(None, early=True), assembly.llada_tad),
    "llada.tad_multi_block": Published(PIPE | _limit(0.5), assembly.llada_tad_multi_block),
    "dream.vanilla": Published(_DREAM | _TOP_K | _limit(None) | _alg(*_QUOTAS), assembly.dream_vanilla),
    "dream.confidence_threshold": Published(
        _DREAM | _TOP_K | _limit(0.9, none=False) | _alg("confidence_threshold"), assembly.dream_confidence_threshold
    ),
    "dream.fast_prefix_cache": Published(_FAST, assembly.dream_prefix, False),
    "dream.fast_dual_cache": Published(_FAST, assembly.dream_dual, False),
    "dream.entropy_threshold": Published(
        _DREAM | _BLOCKS | _limit(0.5) | _alg("entropy_threshold"), assembly.dream_entropy
    ),
    "dream.multi_block": Published(PIPE | _limit(0.9) | _alg("entropy_threshold"), assembly.dream_multi_block),
    "dream.multi_block_kv": Published(
        PIPE | CACHE | _limit(0.9) | _alg("entropy_threshold"), assembly.dream_multi_block_kv
    ),
    "dream.tad_generate": Published(
        _DREAM
        | _TOP_K
        | {"block_length": Param(int, None, "slots of a block", low=1, none=True)}
        | _limit(0.9)
        | EARLY
        | _alg("entropy_threshold", "confidence_threshold", *_QUOTAS),
        assembly.dream_tad,
    ),
    "dream.tad_multi_block": Published(PIPE | _limit(0.9) | _alg("entropy_threshold"), assembly.dream_tad_multi_block),
}


def reference(name: str, settings: Mapping[str, Any]) -> tuple[Decoder, int]:
    """(decoder, generation length) of the published decoder `name` with its own argument names.

    Raises MethodsUsageError for an unknown decoder, argument or value, and where the published code asserts or fails.
    """
    if name not in PUBLISHED:
        raise unknown("decoder", name, PUBLISHED)
    params = {**COMMON, **PUBLISHED[name].params}
    values = {key: param.default for key, param in params.items()}
    for key, value in settings.items():
        if key not in params:
            raise unknown(f"setting of {name}", key, params)
        values[key] = params[key].coerce(key, value)
    length = values.get("gen_length") or values["max_new_tokens"]
    setting = Setting(length, values)
    if values["fidelity"] == "fixed":
        return repaired(name, setting), length
    if values["temperature"] > 0:
        raise MethodsUsageError(
            "temperature must be 0 with fidelity=compat: the references draw from a global generator."
        )
    return PUBLISHED[name].builder(setting), length
