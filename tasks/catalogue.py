"""Which tasks there are: the data set behind each, and what other packages add through an entry point.

A package adds tasks with the entry point `dllm_harness.tasks`, which names an `Extension`: docs/add-a-task.md walks
through one.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from tasks.errors import TasksError, unknown

GROUP = "dllm_harness.tasks"
FOLDER = Path(__file__).parent
Row = dict[str, Any]
Fields = tuple[tuple[str, type | tuple[type, ...]], ...]


@dataclass(frozen=True)
class Dataset:
    """A data set: its folder's name, its hub id with configurations, and the fields every row must have.

    gold: the field with the answer a perfect model would write, or what makes that text of a row.
    train: has a train split that few-shot examples and trajectories may come from.
    make: the rows of a split (`train`, `test`) where a suite's data is `mini`; None: there are no generated ones.
    """

    folder: str
    hub: str
    configs: tuple[str | None, ...]
    fields: Fields
    gold: str | Callable[[Row], str]
    train: bool = False
    make: Callable[[str], list[Row]] | None = None

    def answer(self, row: Row) -> str:
        """The text that a perfect model would write for a row."""
        return str(row[self.gold] if isinstance(self.gold, str) else self.gold(row))


@dataclass(frozen=True)
class Extension:
    """Tasks of another package.

    folder: holds `protocols/SET/TASK.yaml` and `definitions/NAME.yaml`, as this package's own does.
    datasets: task to the data it reads; every task that the protocols name must be here or among the known ones.
    """

    folder: Path
    datasets: Mapping[str, Dataset]


def _mini(name: str) -> Callable[[str], list[Row]]:
    def make(split: str) -> list[Row]:
        from tasks.mini import TASKS

        return TASKS[name].problems(split)

    return make


_CODE: Fields = (
    *(("task_id", (str, int)), ("prompt", str), ("entry_point", str)),
    *(("canonical_solution", str), ("test", str)),
)
_SUBJECTS = (
    "algebra",
    "counting_and_probability",
    "geometry",
    "intermediate_algebra",
    "number_theory",
    "prealgebra",
    "precalculus",
)
_MBPP: Fields = (("task_id", (str, int)), ("code", str), ("test_list", list))
_GSM8K = Dataset(
    *("gsm8k", "openai/gsm8k", ("main",), (("question", str), ("answer", str)), "answer"),
    train=True,
    make=_mini("gsm8k"),
)
DATASETS = {
    "gsm8k": _GSM8K,
    "long_gsm8k": _GSM8K,
    "math": Dataset(
        *("math", "EleutherAI/hendrycks_math", _SUBJECTS, (("problem", str), ("solution", str)), "solution"),
        make=_mini("math"),
    ),
    "humaneval": Dataset(
        *("humaneval", "openai/openai_humaneval", (None,), _CODE, "canonical_solution"), make=_mini("humaneval")
    ),
    "mbpp": Dataset(
        *("mbpp", "google-research-datasets/mbpp", ("full",), (*_MBPP, ("text", str)), "code"), make=_mini("mbpp")
    ),
    "humaneval_plus": Dataset("humaneval_plus", "evalplus/humanevalplus", (None,), _CODE, "canonical_solution"),
    "mbpp_plus": Dataset("mbpp_plus", "evalplus/mbppplus", (None,), (*_MBPP, ("prompt", str), ("test", str)), "code"),
}


@cache
def extensions() -> tuple[Extension, ...]:
    """What other packages add, by the entry points' names.

    One that does not load, is no Extension or takes the name of a known task is left out with a warning that names its
    package; asking for its tasks by the entry point's name raises (`refuse_left_out`).
    """
    found: list[Extension] = []
    taken = set(DATASETS)
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        try:
            extension = _load(point, taken)
        except TasksError as error:
            _left_out.setdefault(point.name, str(error))
            logging.getLogger(__name__).warning("harness: left out: %s", error)
            continue
        taken |= set(extension.datasets)
        found.append(extension)
    return tuple(found)


_left_out: dict[str, str] = {}  # the entry point's name -> why its tasks are not among the others


def _load(point: EntryPoint, taken: Collection[str]) -> Extension:
    """The tasks of another package's entry point. Raises TasksError naming the package and what is wrong."""
    dist = getattr(point, "dist", None)
    package = f" of the package {dist.name} {dist.version}" if dist else ""
    what = f"the tasks {point.name!a}{package} ({point.value})"
    try:
        extension = point.load()
    except (Exception, SystemExit) as error:  # whatever a foreign module raises while it is imported
        why = ascii(" ".join(str(error).split()))[1:-1][:200] or "no reason given"
        raise TasksError(f"{what} do not load: {type(error).__name__}: {why}") from error
    if not isinstance(extension, Extension):
        raise TasksError(f"{what} are not a tasks.catalogue.Extension.")
    if again := sorted(set(taken) & set(extension.datasets)):
        raise TasksError(f"{what} have the name of {again[0]!r}, which already exists.")
    return extension


def refuse_left_out(task: str) -> None:
    """Raise TasksError with the reason for a task whose package was left out."""
    extensions()
    if task in _left_out:
        raise TasksError(_left_out[task][:1].upper() + _left_out[task][1:])


def datasets() -> dict[str, Dataset]:
    """Every known task's data set."""
    return DATASETS | {task: data for extension in extensions() for task, data in extension.datasets.items()}


def dataset_of(task: str) -> Dataset:
    """The data set a task reads; raises TasksUsageError for an unknown task."""
    known = datasets()
    if task not in known:
        refuse_left_out(task)
        raise unknown("task", task, known)
    return known[task]


@cache
def files(kind: str, pattern: str) -> dict[str, Path]:
    """The YAML files of `protocols` or `definitions`, this package's and the extensions', by their path without suffix.

    Of one that two packages have the first counts, with a warning.
    """
    found: dict[str, Path] = {}
    for folder in (FOLDER, *(extension.folder for extension in extensions())):
        for file in sorted((folder / kind).glob(pattern)):
            name = file.relative_to(folder / kind).with_suffix("").as_posix()
            if name in found:
                logging.getLogger(__name__).warning(
                    "harness: left out: %s has the name of %s; rename one of them.", file, found[name]
                )
                continue
            found[name] = file
    return found


def definitions() -> dict[str, Path]:
    """The lm-eval definitions that a protocol's `lm_eval_task` may name."""
    return files("definitions", "*.yaml")
