"""Settings as text and as layers: `--set KEY=VALUE`, and the suite's values under the user's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from harness.errors import UsageError

if TYPE_CHECKING:
    from harness.suites import Suite
    from methods.method import Method

EARLY_STOP = "early_stop"
FILL_TAIL = "fill_tail"  # the EOS policy under which every row of a column stops early
GEN_LENGTH = "gen_length"  # belongs to the protocol, but a suite or a run may override it


def parse(pairs: Iterable[str]) -> dict[str, str]:
    """The settings of `KEY=VALUE` texts; `-` in a key reads as `_`, and the last of two equal keys counts.

    Raises UsageError for a text without a key, an `=` or a value.
    """
    settings = {}
    for pair in pairs:
        key, sign, value = pair.partition("=")
        if not sign or not key.strip() or not value.strip():
            raise UsageError(f"--set {pair} is not KEY=VALUE, for example --set threshold=0.5.")
        settings[key.strip().replace("-", "_")] = value.strip()
    return settings


def whole(name: str, value: Any, low: int) -> int:
    """An integer of a command line or of model_args. Raises UsageError for anything else and for one below `low`."""
    try:
        number = int(str(value))
    except ValueError:
        number = low - 1
    if number < low:
        raise UsageError(f"{name}={value} is not allowed: {name} is an integer of at least {low}.")
    return number


def layered(
    suite: Suite, method: Method, task: str, overrides: Mapping[str, Any], length: int, eos_policy: str
) -> tuple[dict[str, Any], int]:
    """(every parameter of the method as it will run, generation length), by layers.

    The method's defaults, the suite's values, the protocol's EOS policy, `overrides`. eos_policy: under `fill_tail`
    every diffusion row stops early, whatever the suite or the method would choose; autoregressive rows do by nature.
    length: generated tokens where neither the suite nor `overrides` name a `gen_length`. Raises UsageError or
    MethodsUsageError naming the unknown setting or the allowed range.
    """
    values = suite.settings(method.name, task)
    if eos_policy == FILL_TAIL and EARLY_STOP in method.params:
        values[EARLY_STOP] = True
    values |= overrides
    gen_length = whole(GEN_LENGTH, values.pop(GEN_LENGTH, length), 1)
    return method.settings(values), gen_length


def effective_eos_policy(eos_policy: str, setting: Mapping[str, Any]) -> str:
    """What an EOS did in a run: the protocol's policy, or `cut` where `early_stop` was switched off by hand.

    >>> effective_eos_policy("fill_tail", {"early_stop": False})
    'cut'
    """
    return "cut" if eos_policy == FILL_TAIL and setting.get(EARLY_STOP) is False else eos_policy


def checked(method: Method, setting: Mapping[str, Any]) -> dict[str, Any]:
    """`setting` with every value coerced to its parameter's type. Raises as `layered` does."""
    own = {name: value for name, value in setting.items() if name != GEN_LENGTH}
    full = method.settings(own)
    coerced = {name: full[name] for name in own}
    if GEN_LENGTH in setting:
        coerced[GEN_LENGTH] = whole(GEN_LENGTH, setting[GEN_LENGTH], 1)
    return coerced
