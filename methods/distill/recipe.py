"""A recipe: everything that decides a training run, read from `methods/recipes/NAME.yaml` and checked key by key.

A file has a title, a source, the shared settings and a `variants:` table (llada, dream, coder, mini, ...); headings
inside a file are for the reader, every key is unique. `--set key=value` overrides a value. Where a variant
sets a key otherwise than the released training did, `differs:` names the released value and the reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields, replace
from functools import cache
from pathlib import Path
from typing import Any, get_type_hints

import yaml

from methods.distill.objectives import OBJECTIVES
from methods.distill.recipe_fields import Common, coerce
from methods.errors import MethodsError, MethodsUsageError, unknown

FOLDER = Path(__file__).parents[1] / "recipes"


@dataclass(frozen=True)
class Difference:
    """A value that departs from the released training. released: the value there, as text; reason: why not here."""

    released: str
    reason: str


@dataclass(frozen=True)
class Recipe:
    """One variant of a recipe. `settings` is the objective's settings dataclass; differs: key -> departure."""

    name: str
    title: str
    source: str
    variant: str
    objective: str
    common: Common
    settings: Any
    differs: Mapping[str, Difference] = field(default_factory=dict)

    def values(self) -> dict[str, Any]:
        """Every setting by its key, flat."""
        return asdict(self.common) | asdict(self.settings)

    def with_values(self, changes: Mapping[str, Any]) -> Recipe:
        """This recipe with `changes` applied; unknown keys and bad values raise MethodsUsageError."""
        types = self._types()
        for key in changes:
            if key not in types:
                raise unknown("recipe key", key, types)
        checked = {key: coerce(key, value, types[key]) for key, value in changes.items()}
        old = self.values()
        mine = {f.name for f in fields(Common)}
        return replace(
            self,
            common=replace(self.common, **{k: v for k, v in checked.items() if k in mine}),
            settings=replace(self.settings, **{k: v for k, v in checked.items() if k not in mine}),
            differs={key: entry for key, entry in self.differs.items() if checked.get(key, old[key]) == old[key]},
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
    head = {key: content.pop(key, "") or "" for key in ("name", "title", "source", "objective")}
    for key, text in head.items():
        if not isinstance(text, str):
            raise MethodsUsageError(f"{file.name}: {key} must be text.")
    if not isinstance(variants, dict):
        raise MethodsUsageError(f"{file.name}: variants must be a table of tables.")
    if head["objective"] not in OBJECTIVES:
        raise unknown(f"objective in {file.name}", head["objective"], OBJECTIVES)
    if variant not in variants:
        raise unknown(f"variant of {file.name}", variant, map(str, variants))
    kind = OBJECTIVES[head["objective"]][0]
    recipe = Recipe(
        name=head["name"] or file.stem,
        title=head["title"],
        source=head["source"],
        variant=variant,
        objective=head["objective"],
        common=Common(),
        settings=kind(**{f.name: f.default for f in fields(kind) if f.default is not MISSING}),
    )
    chosen = variants[variant] or {}
    if not isinstance(chosen, dict):
        raise MethodsUsageError(f"{file.name}: the variant {variant} must be a table of settings.")
    chosen = dict(chosen)
    differs = chosen.pop("differs", None) or {}
    try:
        made = recipe.with_values(_flat(content)).with_values(_flat(chosen))
        return replace(made, differs=_differences(differs, made.values()))
    except MethodsUsageError as error:
        raise MethodsUsageError(f"{file.name}, variant {variant}: {error}") from None


@cache
def _content(file: Path, changed: float) -> str:
    return file.read_text(encoding="utf-8")


def _read(file: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(_content(file, file.stat().st_mtime))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise MethodsError(f"{file} is not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict):
        raise MethodsError(f"{file} should hold a table of settings.")
    return content


def _flat(content: Mapping[str, Any]) -> dict[str, Any]:
    """The keys under all headings (tables one level deep) as one table."""
    flat: dict[str, Any] = {}
    for key, value in content.items():
        for name, one in value.items() if isinstance(value, dict) else ((key, value),):
            if str(name) in flat:
                raise MethodsUsageError(f"the key {name!r} is given twice.")
            flat[str(name)] = one
    return flat


def _differences(table: Any, known: Mapping[str, Any]) -> dict[str, Difference]:
    if not isinstance(table, dict):
        raise MethodsUsageError("differs is a table of keys, each with released and reason.")
    for key, entry in table.items():
        if key not in known:
            raise unknown("recipe key under differs", str(key), known)
        if not isinstance(entry, dict) or set(entry) != {"released", "reason"}:
            raise MethodsUsageError(f"differs, {key}: write released and reason.")
    return {key: Difference(_text(entry["released"]), str(entry["reason"])) for key, entry in table.items()}


def _text(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
