"""What a setting may be (`Param`), and the parameters that several methods share. No torch here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from methods.errors import MethodsUsageError

_TRUTH = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


@dataclass(frozen=True)
class Param:
    """One setting of a decoder: its type, its default and the values it may take.

    `low` and `high` are inclusive; `none` says that null is allowed ("off").
    """

    kind: type
    default: Any
    help: str
    low: float | None = None
    high: float | None = None
    choices: tuple[Any, ...] = ()
    none: bool = False

    def describe(self) -> str:
        """The allowed values in words, for help and for error messages."""
        if self.choices:
            text = "one of " + ", ".join(map(str, self.choices))
        elif self.kind is bool:
            text = "true or false"
        else:
            text = "an integer" if self.kind is int else "a number" if self.kind is float else "text"
            if self.low is not None and self.high is not None:
                text += f" from {self.low:g} to {self.high:g}"
            elif self.low is not None:
                text += f" of at least {self.low:g}"
        return text + (", or none" if self.none else "")

    def coerce(self, name: str, value: Any) -> Any:
        """`value` (a Python value or the text of `--set`) as this parameter's type.

        Raises MethodsUsageError naming the parameter and the allowed range.
        """
        try:
            result = self._convert(value)
        except (KeyError, TypeError, ValueError, OverflowError):
            raise self._refuse(name, value) from None
        if result is None:
            return None
        if self.choices and result not in self.choices:
            raise self._refuse(name, value)
        if self.kind in (int, float) and not self._in_range(result):
            raise self._refuse(name, value)
        return result

    def _refuse(self, name: str, value: Any) -> MethodsUsageError:
        shown = str(value) if str(value).isprintable() else repr(value)  # a line break would make it two sentences
        return MethodsUsageError(f"{name}={shown} is not allowed: {name} is {self.describe()}.")

    def _in_range(self, value: float) -> bool:
        if value != value:
            return False
        return (self.low is None or value >= self.low) and (self.high is None or value <= self.high)

    def _convert(self, value: Any) -> Any:
        text = value.strip().lower() if isinstance(value, str) else None
        if text in self.choices:
            return text
        if value is None or text in ("none", "null"):
            if self.none:
                return None
            raise ValueError
        if self.kind is bool:
            return value if isinstance(value, bool) else _TRUTH[text or ""]
        if isinstance(value, bool):
            raise ValueError
        if self.kind is int:
            number = float(value)
            if number != int(number):
                raise ValueError
            return int(number)
        return self.kind(value)


@dataclass(frozen=True)
class Ids(Param):
    """Token ids of the checkpoint's vocabulary: a tuple of ints, or with `pairs` of (slot, id).

    As text `198,11`, or `200:785,201:4226` for pairs; as JSON a list, or a list of lists of two.
    """

    pairs: bool = False

    def describe(self) -> str:
        """The allowed values in words."""
        text = "a list of slot:id such as 200:785,201:4226" if self.pairs else "a list of token ids such as 198,11"
        return text + (", or none" if self.none else "")

    def _convert(self, value: Any) -> Any:
        if isinstance(value, str):
            text = value.strip().strip("[]")
            if text.lower() in ("none", "null"):
                return super()._convert(text)
            value = [item for item in text.split(",") if item.strip()]
            value = [item.split(":") for item in value] if self.pairs else value
        if value is None:
            return super()._convert(value)
        if self.pairs:
            return tuple((_whole(slot), _whole(token)) for slot, token in value)
        return tuple(map(_whole, value))


def _whole(value: Any) -> int:
    """A whole number of at least 0. Raises ValueError."""
    if isinstance(value, bool) or (number := int(value)) != float(value) or number < 0:
        raise ValueError
    return number


BLOCK_SIZE = Param(int, 32, "slots of a block; must divide the generation length", low=1)
WHOLE_OR_BLOCK = Param(int, 32, "slots of a block; none decodes the whole generation at once", low=1, none=True)
BLOCK_OR_WHOLE = Param(
    int, 32, "slots of a block, which must divide the generation length; 0 decodes the generation as one", low=0
)
ENTROPY = Param(
    float, 0.5, "entropy in nats below which a slot is committed; 0 commits one token per forward pass", low=0.0
)
CONFIDENCE = Param(
    float, 0.9, "probability above which a slot is committed; 1 commits one token per forward pass", low=0.0, high=1.0
)
SURE = Param(float, 0.9, "probability above which a slot is committed; 1 or more: never, one token a time", low=0.0)
BLOCK_ADD = Param(float, 0.1, "decoded share of the last block that creates the next one", low=0.0, high=1.0)
DECODED = Param(
    float,
    0.95,
    "decoded share of a block from which on the next one must commit a token per forward pass",
    low=0.0,
    high=1.0,
)
EARLY_STOP = Param(
    bool, False, "fill everything behind the first EOS with EOS; a protocol with eos_policy fill_tail sets it"
)
TEMPERATURE = Param(float, 0.0, "sampling temperature; 0 takes the best token", low=0.0)
TOP_P = Param(float, 1.0, "nucleus sampling: probability mass kept", low=0.0, high=1.0)
BLOCK_CACHE = Param(str, "none", "what is cached", choices=("none", "prefix", "dual"))
REFRESH = Param(
    int, None, "forward passes of a block between full ones; none: only the first one is full", low=1, none=True
)

ENTROPY_POINTS = (0.0, 0.1, 0.3, 0.5, 0.7, 1.0)
CONFIDENCE_POINTS = (1.0, 0.95, 0.9, 0.8, 0.7, 0.5)

STRICT = "strict thresholds and exact entropy, so that entropy 0 and confidence 1 commit one token per forward pass"
MASK = "the mask token is never committed (the references never end when it is the argmax)"
END_IDS = "every end id of the checkpoint counts; the references know the tokenizer's EOS alone, no end of turn"
STALE = "open slots are listed after an EOS has filled the tail, so filled slots are not decoded again in that forward"
PHANTOM = "the iteration that only detects the end is not counted as a forward pass"
TWO = "a forward pass in which no slot qualifies commits the forced token only, not the canvas's best one as well"
TAIL = "the last block of a generation is always decoded: a block size that does not divide the length is refused"
SLICE = "on shifted backbones a window starts one position early, so its first slot is not scored by its own logits"
"""Defects of the reference decoders that the `fixed` fidelity of several methods repairs; see docs/definitions.md."""
