"""The keys of a recipe: the settings that every recipe has, and which values any key may take.

Values are converted and checked by `methods.params.Param`, as a method's settings are; what a recipe adds are lists
and open bounds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, get_args, get_origin

from methods.errors import MethodsUsageError
from methods.params import Param

ALL_TARGETS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


@dataclass(frozen=True)
class Common:
    """Settings that every recipe has.

    student: the suite's checkpoint that is trained. data: trajectories | gold (answers of the data set).
    prompt: whether trajectories were decoded from the plain or the privileged prompt, others are refused.
    temperatures, top_p, score, gen_length, block_length: how they were decoded, others give a warning; score is what
    ranks the teacher's positions, probability (LLaDA) | entropy (Dream) | margin, and so the order of reveal.
    teacher_prompt: which prompt the frozen teacher reads. correct_only: drop wrong trajectories. same_teacher: refuse
    trajectories that another checkpoint made. problems, gen_length: of gold answers. tail: EOS tokens kept behind the
    first one, none for all, "random" for a number drawn per step. tuning: lora | full. steps: optimiser steps; 0 =
    `epochs` passes over the examples. batch: examples of a step over all processes; micro_batch: examples of one
    forward pass on one device. precision: auto (bf16 where the hardware multiplies it fast, else fp32) | bf16 | fp32.
    """

    student: str = "base"
    data: str = "trajectories"
    prompt: str = "plain"
    teacher_prompt: str = "plain"
    correct_only: bool = True
    same_teacher: bool = True
    temperatures: tuple[float, ...] = (0.0,)
    top_p: float = 1.0
    score: str = "probability"
    problems: int = 0
    gen_length: int = 256
    block_length: int = 32
    max_length: int = 1024
    tail: str | None = None
    tuning: str = "lora"
    rank: int = 128
    alpha: int = 128
    dropout: float = 0.0
    targets: tuple[str, ...] = ALL_TARGETS
    epochs: float = 1.0
    steps: int = 0
    batch: int = 64
    micro_batch: int = 4
    lr: float = 2e-5
    scheduler: str = "constant"
    warmup: float = 0.0
    weight_decay: float = 0.01
    beta1: float = 0.9
    beta2: float = 0.999
    clip: float = 1.0
    optimizer: str = "adamw_torch_fused"
    precision: str = "auto"
    checkpointing: bool = False
    seed: int = 0
    save_every: int = 500
    log_every: int = 10


CHOICES: dict[str, tuple[str, ...]] = {
    "data": ("trajectories", "gold"),
    "prompt": ("plain", "privileged"),
    "teacher_prompt": ("plain", "privileged"),
    "score": ("probability", "entropy", "margin"),
    "tuning": ("lora", "full"),
    "precision": ("auto", "bf16", "fp32"),
    "pattern": ("trajectory", "random"),
    # transformers has more of both, which need arguments or packages that no recipe can name
    "scheduler": ("constant", "constant_with_warmup", "linear", "cosine", "cosine_with_restarts", "polynomial"),
    "optimizer": ("adamw_torch", "adamw_torch_fused", "adamw_bnb_8bit", "paged_adamw_8bit", "adafactor", "sgd"),
}
POSITIVE = {"batch", "micro_batch", "lr", "gen_length", "block_length", "max_length", "rank", "alpha", "block", "delta"}
POSITIVE |= {"blocks", "tau", "entropy_temperature", "divisor", "top_p"}
# shares, and those of them that may not be the whole: no weight would be left, or no old value forgotten
AT_MOST_ONE = {"warmup", "ratio_start", "ratio_end", "noise_low", "noise_high", "top_p"}
BELOW_ONE = {"dropout", "beta1", "beta2"}


@dataclass(frozen=True)
class RecipeParam(Param):
    """A recipe's key. above, below: exclusive bounds. many: a list of at least one such value."""

    above: float | None = None
    below: float | None = None
    many: bool = False

    def coerce(self, name: str, value: Any) -> Any:
        """`value` (YAML's, or the text of --set) as this key's type; a list becomes a tuple.

        Raises MethodsUsageError naming the key and the allowed values.
        """
        if not self.many:
            return super().coerce(name, value)
        parts = value.strip("[]() ").split(",") if isinstance(value, str) else value
        if not isinstance(parts, list | tuple) or not parts:
            raise self._refuse(name, value)
        one = replace(self, many=False)
        try:
            return tuple(one.coerce(name, part) for part in parts)
        except MethodsUsageError:
            raise self._refuse(name, value) from None

    def describe(self) -> str:
        """The allowed values in words."""
        if self.many:
            return f"a list, each {replace(self, many=False).describe()}"
        text = super().describe()
        if self.above is not None:
            text += f" above {self.above:g}" + (f" and at most {self.high:g}" if self.high is not None else "")
        return text + (f" below {self.below:g}" if self.below is not None else "")

    def _in_range(self, value: float) -> bool:
        inside = math.isfinite(value) and super()._in_range(value)
        return inside and (self.above is None or value > self.above) and (self.below is None or value < self.below)

    def _refuse(self, name: str, value: Any) -> MethodsUsageError:
        text = str(value)
        return super()._refuse(name, text if text.isprintable() else ascii(text))

    def _convert(self, value: Any) -> Any:
        if self.kind is str and isinstance(value, str):
            value = value.strip()
        return super()._convert(value)


def param_of(key: str, kind: Any) -> RecipeParam:
    """The parameter of `key` with the type hint `kind` (a plain type, `X | None` or `tuple[X, ...]`)."""
    arguments = get_args(kind)
    many, optional = get_origin(kind) is tuple, type(None) in arguments
    plain = next((one for one in arguments if one not in (type(None), ...)), kind)
    number = plain in (int, float)
    return RecipeParam(
        plain,
        None,
        key,
        low=0 if number and key not in POSITIVE else None,
        high=1 if key in AT_MOST_ONE else None,
        choices=CHOICES.get(key, ()),
        none=optional,
        above=0 if key in POSITIVE else None,
        below=1 if key in BELOW_ONE else None,
        many=many,
    )


def coerce(key: str, value: Any, kind: Any) -> Any:
    """`value` (YAML's, or the text of --set) as the type of `key`. Raises MethodsUsageError for a bad one."""
    made = param_of(key, kind).coerce(key, value)
    if key == "tail" and made not in (None, "random") and not made.isdecimal():
        raise MethodsUsageError(f"tail={value} is not allowed: tail is none, random or a number of tokens.")
    return made
