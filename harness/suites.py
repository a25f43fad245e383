"""Suites: a backbone, its checkpoints per method, one protocol per task and the settings of each (method, task).

They are data files, `harness/suites/NAME.yaml`; another file can be named by path (`--suite my.yaml`).
Nothing here imports torch.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from harness.errors import UsageError, UserError, unknown

FOLDER = Path(__file__).parent / "suites"
ARCHITECTURES = ("llada", "dream", "a2d", "ar")
DATA_KINDS = ("mini", "hub")
_NAME = re.compile(r"\w[\w.-]*", re.ASCII)
_KEYS = {"name", "title", "arch", "context", "data", "source", "notes", "checkpoints", "protocols", "settings"}


@dataclass(frozen=True)
class CheckpointRef:
    """Where a checkpoint lies: `package:mini/base`, `hub:org/name[@revision]` or a folder.

    adapter: a LoRA (folder or hub id) on top of it. note: what a reader should know of it. label: what names its rows
    (`harness.labels`), None for the method's own name.
    """

    source: str
    adapter: str | None = None
    note: str = ""
    label: str | None = None


@dataclass(frozen=True)
class Suite:
    """One column of the benchmark. `unpublished` says, per checkpoint key, why no checkpoint can be named."""

    name: str
    title: str
    arch: str
    context: int
    data: str
    checkpoints: Mapping[str, CheckpointRef]
    unpublished: Mapping[str, str]
    source: str = ""
    notes: str = ""
    _protocols: Mapping[str, str] = field(default_factory=dict, repr=False)
    _settings: Mapping[str, Mapping[str, Mapping[str, Any]]] = field(default_factory=dict, repr=False)

    @property
    def tasks(self) -> list[str]:
        """The suite's tasks, in its own order."""
        return list(self._protocols)

    def setting_tasks(self, method: str) -> list[str]:
        """The tasks that have settings of their own for a method, `all` among them where it has some."""
        return list(self._settings.get(method, {}))

    @property
    def methods(self) -> list[str]:
        """Methods that the suite has settings for."""
        return list(self._settings)

    def protocol(self, task: str) -> str:
        """The id of the default protocol of `task`, or of the same set's for a task that another package adds to it.

        Raises UsageError naming the closest task.
        """
        if task in self._protocols:
            return self._protocols[task]
        from tasks import catalogue, protocols

        joined = [f"{name}/{task}" for name in sorted({id.split("/")[0] for id in self._protocols.values()})]
        added = [id for id in joined if id in protocols.ids() and protocols.added(id)]
        if not added:
            catalogue.refuse_left_out(task)
            raise unknown(f"task of the suite {self.name}", task, self._protocols)
        return added[0]

    def eos_policy(self, task: str) -> str:
        """The EOS policy of a task's protocol, for other tasks the one that the suite's protocols have first."""
        from tasks import protocols

        return protocols.get(self.protocol(task if task in self._protocols else self.tasks[0])).eos_policy

    def settings(self, method: str, task: str) -> dict[str, Any]:
        """The suite's values for (method, task): `all:` updated by the task's own; {} when it has none."""
        blocks = self._settings.get(method, {})
        values = {**blocks.get("all", {}), **blocks.get(task, {})}
        values.pop("source", None)
        return values

    def checkpoint(self, key: str) -> CheckpointRef:
        """The checkpoint under `key`. Raises UsageError that says why there is none and the way out."""
        if key in self.checkpoints:
            return self.checkpoints[key]
        if key in self.unpublished:
            raise UsageError(
                f"The suite {self.name} has no checkpoint for {key}: {self.unpublished[key]} "
                "Give one with --checkpoint FOLDER or --checkpoint org/name@revision."
            )
        raise unknown(f"checkpoint of the suite {self.name}", key, self.checkpoints)


def check_arch(suite: Suite, family: str, source: str, arch: str | None) -> None:
    """Raise UsageError for a diffusion method on a checkpoint of another architecture than the suite's.

    arch: the checkpoint's, None where it is not known yet. A suite's prompts, context and settings are those of one
    architecture; autoregressive and block diffusion methods have checkpoints of their own kind: the engine checks them.
    """
    if family != "dllm" or arch in (None, suite.arch):
        return
    fitting = [name for name in suite_names() if load_suite(name).arch == arch]
    way = f"give --suite {' or '.join(fitting)}" if fitting else "choose another checkpoint"
    raise UsageError(
        f"{source} is a checkpoint of the architecture {arch}, the suite {suite.name} is for {suite.arch}; {way}, or "
        f"a suite file of your own with arch: {arch}."
    )


def suite_names() -> list[str]:
    """The suites that ship with the harness, sorted."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


@cache
def load_suite(name: str) -> Suite:
    """The suite called `name`, or the one in the YAML file at that path.

    Raises UsageError for an unknown name and UserError naming file and key for a file that does not fit.
    """
    path = Path(name) if name.endswith((".yaml", ".yml")) else FOLDER / f"{name}.yaml"
    if not path.is_file():
        raise unknown("suite", name, suite_names())
    return parse(path)


def parse(path: Path) -> Suite:
    """Read and check one suite file. Raises UserError naming the file and what is wrong with it."""
    import yaml

    try:
        value = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UserError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(value, dict):
        raise UserError(f"{path} should hold a mapping with {', '.join(sorted(_KEYS))}.")
    _check(value, path)
    refs, missing = _checkpoints(value["checkpoints"], path)
    return Suite(
        name=str(value["name"]),
        title=str(value.get("title") or value["name"]),
        arch=value["arch"],
        context=value["context"],
        data=value["data"],
        checkpoints=refs,
        unpublished=missing,
        source=str(value.get("source") or ""),
        notes=str(value.get("notes") or ""),
        _protocols={str(task): str(protocol) for task, protocol in value["protocols"].items()},
        _settings=_settings(value.get("settings") or {}, path),
    )


def _check(value: Mapping[str, Any], path: Path) -> None:
    for key in value:
        if key not in _KEYS:
            raise UserError(f"{path}: {unknown('key', str(key), _KEYS)}")
    for key in ("name", "arch", "context", "data", "checkpoints", "protocols"):
        if not value.get(key):
            raise UserError(f"{path}: the key {key!r} is missing.")
    for name in (value["name"], *_names(value["protocols"])):
        if not _NAME.fullmatch(str(name)):  # a run's folder is called after suite, method and task
            raise UserError(f"{path}: the name {str(name)!r} may only hold letters, digits, `_`, `-` and `.`.")
    if value["arch"] not in ARCHITECTURES:
        raise UserError(f"{path}: arch {value['arch']} is not one of {', '.join(ARCHITECTURES)}.")
    if value["data"] not in DATA_KINDS:
        raise UserError(f"{path}: data {value['data']} is not one of {', '.join(DATA_KINDS)}.")
    if type(value["context"]) is not int or value["context"] < 1:
        raise UserError(f"{path}: context {value['context']} is not a positive integer.")
    for key in ("checkpoints", "protocols", "settings"):
        if not isinstance(value.get(key) or {}, dict):
            raise UserError(f"{path}: {key} should be a mapping.")


def _names(value: Any) -> list[Any]:
    return list(value) if isinstance(value, dict) else []


def _checkpoints(value: Mapping[str, Any], path: Path) -> tuple[dict[str, CheckpointRef], dict[str, str]]:
    refs, missing = {}, {}
    for key, entry in value.items():
        if not isinstance(entry, dict) or set(entry) - {"source", "adapter", "note", "label"}:
            raise UserError(f"{path}: checkpoints.{key} should have source, and may have adapter, note and label.")
        if entry.get("source"):
            label = None if entry.get("label") is None else str(entry["label"])
            note = str(entry.get("note") or "")
            refs[str(key)] = CheckpointRef(str(entry["source"]), entry.get("adapter"), note, label)
        else:
            missing[str(key)] = str(entry.get("note") or "its source names none.")
    return refs, missing


def _settings(value: Mapping[str, Any], path: Path) -> dict[str, dict[str, dict[str, Any]]]:
    settings: dict[str, dict[str, dict[str, Any]]] = {}
    for method, blocks in value.items():
        if not isinstance(blocks, dict) or not all(isinstance(block, dict) for block in blocks.values()):
            raise UserError(f"{path}: settings.{method} should map `all` or a task to its values.")
        settings[str(method)] = {str(task): dict(block) for task, block in blocks.items()}
    return settings
