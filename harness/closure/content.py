"""What decides a result and is no Python code: task definitions, recipes, a method's values, each as one text."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from dataclasses import asdict, fields
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from tasks import catalogue

if TYPE_CHECKING:
    from methods.method import Method

# keys of an lm-eval definition that choose the score, not the prompt, and those the harness replaces anyway
SCORING = frozenset({"filter_list", "metric_list", "process_results"})
REPLACED = frozenset({"dataset_path", "dataset_name", "dataset_kwargs", "metadata", "tag", "unsafe_code"})
FUNCTION = "!function "  # how a YAML file names a Python function
_RECIPE_TEXTS = {"title", "source", "notes"}
_METHOD_TEXTS = {"reference", "name", "title", "summary", "citation", "repairs", "decoder", "params", "resolve"}


class _Loader(yaml.SafeLoader):
    """Reads `!function module.name` as text."""


_Loader.add_constructor("!function", lambda loader, node: FUNCTION + loader.construct_scalar(node))


def read_yaml(file: Path) -> Any:
    """The values of a YAML file, without its comments and layout; a function by its dotted name."""
    return yaml.load(file.read_text(encoding="utf-8"), _Loader)


def text(values: Any) -> str:
    """JSON of plain values with sorted keys."""
    return json.dumps(values, sort_keys=True, default=str)


def definition(file: Path, without: Collection[str] = ()) -> tuple[str, list[str]]:
    """An lm-eval task definition and what it includes, less the keys `without` and what is replaced.

    Returns its text and the roots ("module:function") of the functions it names in packages other than lm-eval.
    """
    chain, file_ = [], file
    while True:
        values = read_yaml(file_)
        include = values.pop("include", None)
        chain.append({key: value for key, value in values.items() if key not in REPLACED | set(without)})
        if include is None:
            break
        places = [file_.parent, catalogue.FOLDER / "definitions", _upstream()]
        file_ = next((place / include for place in places if (place / include).exists()), places[-1] / include)
    functions = [name.rpartition(".") for one in chain for name in _functions(one)]
    roots = [f"{module}:{name}" for module, _, name in functions if "." in module and not module.startswith("lm_eval.")]
    return text(chain), roots


def _functions(value: Any) -> Iterator[str]:
    if isinstance(value, str) and value.startswith(FUNCTION):
        yield value.removeprefix(FUNCTION)
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _functions(item)


def _upstream() -> Path:
    spec = find_spec("lm_eval")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("lm_eval is not installed")
    return Path(spec.origin).parent / "tasks"


def recipe(file: Path, variant: str) -> dict[str, Any]:
    """The settings that a recipe's file gives one of its variants, flat, without its title and source."""
    values = read_yaml(file)
    own = values.pop("variants", {}).get(variant) or {}
    flat: dict[str, Any] = {}
    for table in ({key: value for key, value in values.items() if key not in _RECIPE_TEXTS}, own):
        for key, value in table.items():
            flat |= value if isinstance(value, dict) else {key: value}
    return flat


def method(row: Method) -> str:
    """A method's defaults, ranges, swept axis and checkpoint, without the words for people."""
    params = {name: {**asdict(param), "kind": param.kind.__name__, "help": ""} for name, param in row.params.items()}
    values = {one.name: getattr(row, one.name) for one in fields(row) if one.name not in _METHOD_TEXTS}
    return text({**values, "params": params})


def builder(row: Method) -> str:
    """The root ("module:function") of the function that builds a method's decoder; its module where it has no name."""
    decoder: Any = row.decoder
    if isinstance(decoder, str):
        return decoder
    name = getattr(decoder, "__qualname__", "")
    return f"{decoder.__module__}:{name}" if name.isidentifier() else str(decoder.__module__)
