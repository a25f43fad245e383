"""lm-eval's generation arguments (a task's `generation_kwargs`, `--gen_kwargs`): each is obeyed or refused.

What they may name: the length, the stop strings, `eos_policy` (see `tasks.protocols.EOS_POLICIES`; the suite's own
where they do not say) and any setting of the method. Arguments of other samplers pass where their value changes
nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from harness.errors import UsageError, unknown
from harness.settings import whole

if TYPE_CHECKING:
    from methods.method import Method

LENGTH = ("max_gen_toks", "max_new_tokens", "max_tokens", "max_completion_tokens")
OWN = (*LENGTH, "until", "do_sample", "eos_policy")
EOS_POLICIES = ("fill_tail", "cut", "strip")
# value at which an argument that a method does not have changes nothing
NEUTRAL = {
    "temperature": (0,),
    "top_p": (1,),
    "top_k": (0, -1),
    "min_p": (0,),
    "num_beams": (1,),
    "repetition_penalty": (1,),
}


@dataclass(frozen=True)
class GenKwargs:
    """What a request asks for; length and eos_policy are None where it does not say. settings: of the method."""

    length: int | None = None
    until: tuple[str, ...] = ()
    eos_policy: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)


def read(options: Mapping[str, Any], method: Method, temperature: Any = None) -> GenKwargs:
    """The arguments of one request. temperature: the method's where `options` name none.

    Raises UsageError for an argument that this method cannot obey, and for sampling asked for and forbidden at once.
    """
    given = {name: value for name, value in options.items() if value is not None}
    until = given.get("until") or ()
    policy = None if "eos_policy" not in given else str(given["eos_policy"])
    if policy is not None and policy not in EOS_POLICIES:
        raise unknown("eos_policy", policy, EOS_POLICIES)
    length = next((whole(name, given[name], 1) for name in LENGTH if name in given), None)
    _check_sampling(given, method, temperature)
    settings = {name: value for name, value in given.items() if name in method.params}
    for name, value in given.items():
        if name not in settings and name not in OWN:
            _check_neutral(name, value, method)
    return GenKwargs(length, (until,) if isinstance(until, str) else tuple(until), policy, settings)


def _check_sampling(given: Mapping[str, Any], method: Method, temperature: Any) -> None:
    heat = _number(given.get("temperature", temperature or 0))
    if given.get("do_sample") is True and not heat > 0:
        raise UsageError(
            f"The generation argument do_sample=True needs a temperature above 0, and {method.name} has "
            f"{'temperature 0' if 'temperature' in method.params else 'no temperature'}; give "
            "--gen_kwargs do_sample=False, or a method and a temperature that sample."
        )
    if given.get("do_sample") is False and "temperature" in given and heat > 0:
        raise UsageError(
            f"The generation arguments temperature={given['temperature']} and do_sample=False contradict each other; "
            f"give --gen_kwargs temperature={given['temperature']},do_sample=True to sample, or temperature=0."
        )


def _check_neutral(name: str, value: Any, method: Method) -> None:
    known = [*OWN, *method.params]
    if name not in NEUTRAL:
        raise unknown("generation argument", name, known)
    if _number(value) not in NEUTRAL[name]:
        raise UsageError(
            f"The generation argument {name}={value} is not obeyed by {method.name}, which has no {name}; "
            f"give --gen_kwargs {name}={NEUTRAL[name][0]}, or another method. Its settings: "
            f"{', '.join(method.params) or 'none'}."
        )


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return math.nan
