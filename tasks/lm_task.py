"""lm-eval tasks on our rows: a definition includes lm-eval's YAML, the protocol fixes the rest.

lm-eval's own index scan takes eight seconds and its code tasks execute `evaluate.load("code_eval")` on import, which
needs the hub; so a definition is read here, and a function is imported only if no definition replaced it.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import datasets
import yaml
from lm_eval.api.task import ConfigurableTask

from tasks.catalogue import FOLDER, definitions
from tasks.data import Rows
from tasks.protocols import Protocol


class RowsTask(ConfigurableTask):
    """An lm-eval task whose rows are handed in instead of being downloaded."""

    def __init__(self, config: dict[str, Any], rows: Rows) -> None:
        self._rows = rows
        super().__init__(config=config)

    def download(self, dataset_kwargs: dict[str, Any] | None = None, **kwargs: Any) -> None:
        """Build the splits from the rows; lm-eval calls this where it would download."""
        datasets.disable_progress_bars()  # rows are in memory: bars would only flicker
        splits = {"test": datasets.Dataset.from_list(self._rows.test)}
        if self._rows.train:
            splits["train"] = datasets.Dataset.from_list(self._rows.train)
        self.dataset = datasets.DatasetDict(splits)


@dataclass(frozen=True)
class Function:
    """A `!function` of a YAML file, not imported yet: upstream's modules of the code tasks cannot be imported as is."""

    module: str
    name: str

    def load(self) -> Callable[..., Any]:
        """Import the module and return the function."""
        with _without_code_eval() if self.module.startswith("lm_eval.tasks.") else nullcontext():
            return getattr(importlib.import_module(self.module), self.name)


@contextmanager
def _without_code_eval() -> Iterator[None]:
    """Let lm-eval's HumanEval and MBPP modules be imported offline, without their unconfined executor."""
    import evaluate

    class Nothing:
        def compute(self, **kwargs: Any) -> None:
            return None

    original = evaluate.load
    evaluate.load = lambda path, *args, **kwargs: Nothing() if path == "code_eval" else original(path, *args, **kwargs)
    try:
        yield
    finally:
        evaluate.load = original


def _upstream() -> Path:
    import lm_eval

    return Path(str(lm_eval.__file__)).parent / "tasks"


def _read(file: Path) -> dict[str, Any]:
    """A YAML file with its includes merged (local keys win) and its functions left as `Function`."""

    class Loader(yaml.SafeLoader):
        pass

    def function(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> Function:
        module, _, name = loader.construct_scalar(node).rpartition(".")
        if file.is_relative_to(_upstream()) and (file.parent / f"{module}.py").exists():  # beside an upstream YAML
            module = ".".join(("lm_eval", "tasks", *file.parent.relative_to(_upstream()).parts, module))
        return Function(module, name)

    Loader.add_constructor("!function", function)
    config: dict[str, Any] = yaml.load(file.read_text(encoding="utf-8"), Loader)
    include = config.pop("include", None)
    if include is None:
        return config
    places = (file.parent, FOLDER / "definitions", _upstream())
    found = next((place / include for place in places if (place / include).exists()), _upstream() / include)
    return {**_read(found), **config}


def _resolve(value: Any) -> Any:
    if isinstance(value, Function):
        return value.load()
    if isinstance(value, dict):
        return {key: _resolve(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_resolve(item) for item in value]
    return value


def config_of(protocol: Protocol) -> dict[str, Any]:
    """lm-eval's task configuration for a protocol: upstream's YAML, our definition, the protocol's choices."""
    raw = _read(definitions()[protocol.lm_eval_task])
    if not protocol.num_fewshot:
        raw.pop("fewshot_config", None)  # its function lives in a module that imports torch by way of `evaluate`
    config = _resolve(raw)
    for name in ("dataset_path", "dataset_name", "dataset_kwargs", "tag", "unsafe_code", "fewshot_split"):
        config.pop(name, None)  # our rows, our sandbox
    shots = dict(config.get("fewshot_config") or {})
    own_shots = "samples" in shots
    if protocol.num_fewshot and not own_shots:
        shots |= {"split": "train", "sampler": {"first_n": "first_n", "random": "default"}[protocol.fewshot]}
    if protocol.num_fewshot and (protocol.user_suffix or protocol.user_wrapper):
        shots["doc_to_text"] = config["doc_to_text"]  # the shots keep upstream's text; only the last turn is dressed
    config |= {
        "task": protocol.task,
        "training_split": "train" if protocol.num_fewshot and not own_shots else None,
        "validation_split": None,
        "test_split": "test",
        "num_fewshot": protocol.num_fewshot,
        "fewshot_config": shots or None,
        "repeats": 1,
        "generation_kwargs": {
            "until": list(protocol.until),
            "max_gen_toks": protocol.gen_length,
            "do_sample": False,
        },
        "metadata": {**(config.get("metadata") or {}), "protocol": protocol.id, "digest": protocol.digest},
    }
    if protocol.user_suffix or protocol.user_wrapper:
        config["doc_to_text"] = _dressed(config["doc_to_text"], protocol)
    return config


def _dressed(text: str | Callable[[dict[str, Any]], str], protocol: Protocol) -> Callable[[dict[str, Any]], str]:
    from lm_eval.utils import apply_template

    wrapper = protocol.user_wrapper or "{text}"

    def doc_to_text(doc: dict[str, Any]) -> str:
        plain = text(doc) if callable(text) else apply_template(text, doc)
        return wrapper.replace("{text}", plain) + protocol.user_suffix

    return doc_to_text
