"""Protocols: everything that fixes a task's prompts and scores, one small YAML file each.

`tasks/protocols/SET/TASK.yaml` has the id `SET/TASK`. The digest covers every field but the explanatory ones
(`source`, `notes`, `prompts_since`), so that a run says exactly what it was asked, and two runs are comparable only
if digests agree.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tasks import catalogue
from tasks.errors import TasksUsageError, unknown

ORDER = ("gsm8k", "long_gsm8k", "math", "humaneval", "mbpp", "humaneval_plus", "mbpp_plus")
EOS_POLICIES = {
    "fill_tail": "every row fills what follows the first EOS or EOT id with EOS; the text ends before it",
    "cut": "each method decodes behind an EOS as it would by itself; the text ends before the first EOS or EOT id",
    "strip": "likewise; EOS and EOT ids are dropped wherever they stand and the text after them is kept",
}
METRICS = {
    "exact_match": ("strict-match", "flexible-extract", "reader", "none"),
    "math_verify": ("none",),
    "pass@1": ("strict", "sanitised"),
}
SET = re.compile(r"\w[\w.-]*", re.ASCII)  # a set's name
EXPLAIN = ("source", "notes", "prompts_since")  # fields that change no prompt and no score


@dataclass(frozen=True)
class Protocol:
    """One task as one column of a table asks and scores it.

    id: `set/task`. version: raised with every change of meaning. prompts_since: the oldest version that gave the model
    the same prompts, length and end of decoding, so that its stored texts can be scored as this version does. task: the
    harness's own name.
    lm_eval_task: the definition in `tasks/definitions/`, which includes lm-eval's YAML.
    num_fewshot, fewshot: how many shots, drawn `first_n` (the same for every document) or at `random` (per document).
    chat_template: the model's chat template is applied, all shots in one user turn. system_text: the system message
    (None: what the template itself puts there). user_wrapper: a text with `{text}` put around the last user text;
    user_suffix: text after it. gen_length: length of the generation region, in tokens. until: stop strings.
    eos_policy: what an EOS does, see EOS_POLICIES. extraction: the lm-eval filter whose metric counts. metric: the
    number of the table.
    rows: the task whose rows are asked, if not its own (MBPP over the problems of `mbpp_plus`).
    source: where these choices come from. notes: what a reader should know.
    """

    id: str
    version: int
    task: str
    lm_eval_task: str
    num_fewshot: int
    fewshot: str
    chat_template: bool
    system_text: str | None
    user_wrapper: str | None
    user_suffix: str
    gen_length: int
    until: tuple[str, ...]
    eos_policy: str
    extraction: str
    metric: str
    rows: str | None
    source: str
    notes: str
    prompts_since: int

    @property
    def set(self) -> str:
        """The set's name, `mini` of `mini/gsm8k`."""
        return self.id.split("/")[0]

    @property
    def digest(self) -> str:
        """16 hex digits over every field that can change a prompt or a score."""
        meaning = {key: value for key, value in asdict(self).items() if key not in EXPLAIN}
        if self.rows is None:
            del meaning["rows"]  # younger than the rest: the digests of stored runs have no such field
        return hashlib.sha256(json.dumps(meaning, sort_keys=True).encode()).hexdigest()[:16]


DEFAULTS: dict[str, Any] = {
    "num_fewshot": 0,
    "fewshot": "first_n",
    "chat_template": False,
    "system_text": None,
    "user_wrapper": None,
    "user_suffix": "",
    "until": [],
    "eos_policy": "fill_tail",  # like conditions for all rows, unless a protocol wants a paper's own
    "rows": None,
    "notes": "",
}


def read(path: Path) -> Protocol:
    """A protocol from a file; raises TasksUsageError that names the file and the field that is wrong."""
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise TasksUsageError(f"{path}: not a readable protocol ({' '.join(str(error).split())}).") from None
    if not isinstance(data, dict):
        raise TasksUsageError(
            f"{path}: a protocol is a mapping of fields, for example tasks/protocols/mini/gsm8k.yaml."
        )
    data = {**DEFAULTS, "prompts_since": data.get("version"), **data}
    known = {field.name for field in fields(Protocol)}
    for name in data:
        if name not in known:
            raise TasksUsageError(f"{path}: {unknown('field', str(name), known)}")
    missing = sorted(known - set(data))
    if missing:
        raise TasksUsageError(f"{path}: the field {missing[0]!r} is missing.")
    _check(path, data)
    return Protocol(**{**data, "until": tuple(data["until"])})


def _check(path: Path, data: dict[str, Any]) -> None:
    def wrong(field: str, should: str) -> TasksUsageError:
        return TasksUsageError(
            f"{path}: {field} is {json.dumps(data[field], ensure_ascii=False, default=str)}, but {should}."
        )

    for field in ("id", "task", "lm_eval_task", "user_suffix", "extraction", "metric", "source", "notes"):
        if not isinstance(data[field], str):
            raise wrong(field, "it must be text")
    for field, low in (("version", 1), ("num_fewshot", 0), ("gen_length", 1)):
        if type(data[field]) is not int or data[field] < low:
            raise wrong(field, f"it must be a whole number, at least {low}")
    if type(data["prompts_since"]) is not int or not 1 <= data["prompts_since"] <= data["version"]:
        raise wrong("prompts_since", f"it must be a version, from 1 to {data['version']}")
    if type(data["chat_template"]) is not bool:
        raise wrong("chat_template", "it must be true or false")
    if not isinstance(data["until"], list) or not all(isinstance(stop, str) and stop for stop in data["until"]):
        raise wrong("until", "it must be a list of stop strings, none of them empty")
    if data["fewshot"] not in ("first_n", "random"):
        raise wrong("fewshot", "it must be first_n or random")
    if not isinstance(data["eos_policy"], str) or data["eos_policy"] not in EOS_POLICIES:
        raise wrong("eos_policy", f"it must be one of {', '.join(EOS_POLICIES)}")
    if data["metric"] not in METRICS:
        raise wrong("metric", f"it must be one of {', '.join(METRICS)}")
    if data["extraction"] not in METRICS[data["metric"]]:
        raise wrong("extraction", f"{data['metric']} goes with one of {', '.join(METRICS[data['metric']])}")
    if not SET.fullmatch(data["id"].partition("/")[0]) or data["id"].partition("/")[2] != data["task"]:
        raise wrong("id", f"it must be SET/{data['task']}")
    for field in ("system_text", "user_wrapper"):
        if data[field] is not None and not isinstance(data[field], str):
            raise wrong(field, "it must be text")
    if data["user_wrapper"] is not None and "{text}" not in data["user_wrapper"]:
        raise wrong("user_wrapper", "it must hold {text} where the task's own text goes")
    for field in ("task", "rows"):
        if data[field] is not None and not (isinstance(data[field], str) and data[field] in catalogue.datasets()):
            raise wrong(field, f"it must be one of {', '.join(catalogue.datasets())}")
    if data["lm_eval_task"] not in catalogue.definitions():
        raise TasksUsageError(f"{path}: {unknown('lm_eval_task', data['lm_eval_task'], catalogue.definitions())}")


def _files() -> dict[str, Path]:
    return catalogue.files("protocols", "*/*.yaml")


def _place(task: str) -> tuple[int, str]:
    return (ORDER.index(task) if task in ORDER else len(ORDER), task)


@cache
def ids() -> tuple[str, ...]:
    """Every protocol's id, `SET/TASK`."""
    return tuple(sorted(_files(), key=lambda id: (id.split("/")[0], _place(id.split("/")[1]))))


def file_of(id: str) -> Path:
    """The file of a protocol's id; raises TasksUsageError for an unknown one."""
    if id not in _files():
        catalogue.refuse_left_out(id.rpartition("/")[2])
        raise unknown("protocol", id, ids())
    return _files()[id]


def added(id: str) -> bool:
    """Whether another package brings the protocol of a known id."""
    return not file_of(id).is_relative_to(catalogue.FOLDER)


@cache
def get(id: str) -> Protocol:
    """The protocol of an id such as `mini/gsm8k`; raises TasksUsageError for an unknown one."""
    return read(file_of(id))


def sets() -> list[str]:
    """The names of the protocol sets: `mini`, `llada-fair`, …"""
    return sorted({name.split("/")[0] for name in ids()})


def tasks() -> list[str]:
    """The tasks that some protocol defines, in the order of the tables."""
    return sorted({name.split("/")[1] for name in ids()}, key=_place)
