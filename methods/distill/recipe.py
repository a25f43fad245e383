"""A recipe: everything that decides a training run, read from `methods/recipes/NAME.yaml` and checked key by key.

A file has a title, a source, the shared settings and a `variants:` table (llada, dream, coder, mini, ...); headings
inside a file are for the reader, every key is unique. `--set key=value` lays a value over the file's.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields, replace
from functools import cache
from pathlib import Path
from typing import Any, get_args, get_type_hints

import yaml

from methods.distill.objectives import OBJECTIVES
from methods.errors import MethodsError, MethodsUsageError, unknown

FOLDER = Path(__file__).parents[1] / "recipes"
ALL_TARGETS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


@dataclass(frozen=True)
class Common:
    """Settings that every recipe has.

    tuning: lora | full. steps: optimiser steps; 0 = `epochs` passes over the examples. batch: examples of a step over
    all processes; micro_batch: examples of one forward on one device. tail: EOS tokens kept behind the first one, none
    for all, "random" for a number drawn per step. prompt: whether trajectories were decoded from the plain or the
    privileged prompt, others are refused; temperatures, gen_length, block_length: how, others give a warning.
    problems, gen_length: of gold answers. teacher_prompt: which prompt the frozen teacher reads. correct_only: drop
    wrong trajectories. same_teacher: refuse trajectories that another checkpoint made. precision: auto (bf16 where the
    hardware multiplies it fast, else fp32) | bf16 | fp32.
    """

    student: str = "base"
    data: str = "trajectories"
    prompt: str = "plain"
    teacher_prompt: str = "plain"
    correct_only: bool = True
    same_teacher: bool = True
    temperatures: tuple[float, ...] = (0.0,)
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
    "tuning": ("lora", "full"),
    "precision": ("auto", "bf16", "fp32"),
    "pattern": ("trajectory", "random"),
    # transformers has more of both, which need arguments or packages that no recipe can name
    "scheduler": ("constant", "constant_with_warmup", "linear", "cosine", "cosine_with_restarts", "polynomial"),
    "optimizer": ("adamw_torch", "adamw_torch_fused", "adamw_bnb_8bit", "paged_adamw_8bit", "adafactor", "sgd"),
}
POSITIVE = {"batch", "micro_batch", "lr", "gen_length", "block_length", "max_length", "rank", "alpha", "block", "delta"}
POSITIVE |= {"blocks", "tau", "entropy_temperature", "divisor"}
# shares, and those of them that may not be the whole: no weight would be left, or no old value forgotten
AT_MOST_ONE = {"warmup", "ratio_start", "ratio_end", "noise_low", "noise_high"}
BELOW_ONE = {"dropout", "beta1", "beta2"}
WORDS = {"true": True, "1": True, "false": False, "0": False}


@dataclass(frozen=True)
class Recipe:
    """One variant of a recipe. `settings` is the objective's settings dataclass."""

    name: str
    title: str
    source: str
    variant: str
    objective: str
    common: Common
    settings: Any
    notes: dict[str, Any] = field(default_factory=dict)

    def values(self) -> dict[str, Any]:
        """Every setting by its key, flat."""
        return asdict(self.common) | asdict(self.settings)

    def with_values(self, changes: Mapping[str, Any]) -> Recipe:
        """This recipe with `changes` laid over it; unknown keys and bad values raise MethodsUsageError."""
        checked = {key: _convert(key, value, self._types()) for key, value in changes.items()}
        mine = {f.name for f in fields(Common)}
        return replace(
            self,
            common=replace(self.common, **{k: v for k, v in checked.items() if k in mine}),
            settings=replace(self.settings, **{k: v for k, v in checked.items() if k not in mine}),
        )

    def _types(self) -> dict[str, Any]:
        return get_type_hints(Common) | get_type_hints(type(self.settings))

    @property
    def needs_teacher(self) -> bool:
        """Whether the objective asks a frozen teacher."""
        return bool(OBJECTIVES[self.objective][2])


def names() -> list[str]:
    """Recipes in the package."""
    return sorted(file.stem for file in FOLDER.glob("*.yaml"))


def load(name: str, variant: str, folder: Path = FOLDER) -> Recipe:
    """The recipe `name` (a name, or a path to a YAML file) in `variant`.

    Raises MethodsUsageError for an unknown recipe, variant, key or value, naming file and key.
    """
    file = Path(name) if name.endswith((".yaml", ".yml")) else folder / f"{name}.yaml"
    if not file.is_file():
        raise unknown("recipe", name, names())
    content = _read(file)
    variants = content.pop("variants", {}) or {}
    head = {key: content.pop(key, "") for key in ("name", "title", "source", "objective")}
    notes = content.pop("notes", None) or {}
    if head["objective"] not in OBJECTIVES:
        raise unknown(f"objective in {file.name}", str(head["objective"]), OBJECTIVES)
    if variant not in variants:
        raise unknown(f"variant of {file.name}", variant, variants)
    kind = OBJECTIVES[head["objective"]][0]
    recipe = Recipe(
        name=head["name"] or file.stem,
        title=head["title"],
        source=head["source"],
        variant=variant,
        objective=head["objective"],
        common=Common(),
        settings=kind(**{f.name: f.default for f in fields(kind) if f.default is not MISSING}),
        notes=notes,
    )
    chosen = dict(variants[variant] or {})
    chosen.pop("source", None)
    try:
        return recipe.with_values(_flat(content)).with_values(_flat(chosen))
    except MethodsUsageError as error:
        raise MethodsUsageError(f"{file.name}, variant {variant}: {error}") from None


@cache
def _text(file: Path, changed: float) -> str:
    return file.read_text(encoding="utf-8")


def _read(file: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(_text(file, file.stat().st_mtime))
    except yaml.YAMLError as error:
        raise MethodsError(f"{file} is not valid YAML: {error}") from None
    if not isinstance(content, dict):
        raise MethodsError(f"{file} should hold a table of settings.")
    return content


def _flat(content: Mapping[str, Any]) -> dict[str, Any]:
    """Headings (tables one level deep) dissolved."""
    flat: dict[str, Any] = {}
    for key, value in content.items():
        for name, one in value.items() if isinstance(value, dict) else ((key, value),):
            if name in flat:
                raise MethodsUsageError(f"the key {name!r} is there twice.")
            flat[name] = one
    return flat


def _convert(key: str, value: Any, types: Mapping[str, Any]) -> Any:
    """`value` (YAML's, or the text of --set) as the type of `key`."""
    if key not in types:
        raise unknown("recipe key", key, types)
    kind = types[key]
    try:
        made = _cast(value, kind)
    except (TypeError, ValueError, KeyError, AttributeError, OverflowError):
        raise MethodsUsageError(f"{key}={value} is not {getattr(kind, '__name__', kind)}.") from None
    if key in CHOICES and made not in CHOICES[key]:
        raise MethodsUsageError(f"{key}={value} is not allowed: {key} is one of {', '.join(CHOICES[key])}.")
    if key == "tail" and made not in (None, "random") and not made.isdecimal():
        raise MethodsUsageError(f"tail={value} is not allowed: tail is none, random or a number of tokens.")
    parts = made if isinstance(made, tuple) else (made,)
    if not parts or any(isinstance(one, (int, float)) and not _in_range(key, one) for one in parts):
        raise MethodsUsageError(f"{key}={value} is out of range.")
    return made


def _in_range(key: str, value: float) -> bool:
    top = value < 1 if key in BELOW_ONE else value <= 1 if key in AT_MOST_ONE else math.isfinite(value)
    return top and (value > 0 if key in POSITIVE else value >= 0)


def _cast(value: Any, kind: Any) -> Any:
    arguments = get_args(kind)
    if type(None) in arguments:
        if value is None or str(value).lower() in ("none", "null", "all"):
            return None
        return _cast(value, next(one for one in arguments if one is not type(None)))
    if getattr(kind, "__origin__", None) is tuple:
        parts = value.strip("[]() ").split(",") if isinstance(value, str) else value
        return tuple(_cast(part.strip() if isinstance(part, str) else part, arguments[0]) for part in parts)
    if kind is bool:
        return value if isinstance(value, bool) else WORDS[str(value).lower()]
    if isinstance(value, bool):
        raise TypeError
    if kind is int:
        number = float(value)
        if number != int(number):
            raise ValueError
        return int(number)
    return kind(value)
