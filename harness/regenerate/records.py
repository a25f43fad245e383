"""Which stages are done, from which inputs and at what cost: `stages.json` of a regeneration."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from harness.regenerate.stage import Stage


def hash_files(files: Iterable[Path], root: Path) -> str:
    """16 hex digits over paths below `root` and contents, in order of path."""
    digest = hashlib.sha256()
    for file in sorted(set(files)):
        digest.update(str(file.relative_to(root)).encode() + b"\0")
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()[:16]


@dataclass
class Records:
    """The records of `stages` in `folder`: per stage key, own digest, inputs, output's hash, minutes and when."""

    folder: Path
    stages: Sequence[Stage]
    records: dict[str, dict[str, Any]] = field(default_factory=dict)
    _own: dict[str, str] = field(default_factory=dict, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def __post_init__(self) -> None:
        file = self.folder / "stages.json"
        if file.exists():
            self.records = json.loads(file.read_text(encoding="utf-8"))

    @cached_property
    def keys(self) -> dict[str, str]:
        """What decides each stage's result, 16 hex digits: its command, its code, and the keys it depends on.

        The same in any folder: paths inside it are written from it.
        """
        found: dict[str, str] = {}
        for stage in self.stages:
            found[stage.name] = _digest([self.own(stage), [found[name] for name in stage.after]])
        return found

    def own(self, stage: Stage) -> str:
        """A digest of the stage alone: its name, its command and the code behind it."""
        if stage.name not in self._own:
            command = [self._portable(part) for part in stage.command]
            self._own[stage.name] = _digest([stage.name, stage.module, command, stage.code.digest()])
        return self._own[stage.name]

    def _portable(self, part: str) -> str:
        """A word of a command, written from the folder where it is a path inside it."""
        path = Path(part)
        return f"OUT/{path.relative_to(self.folder)}" if path.is_relative_to(self.folder) else part

    def inputs(self, stage: Stage) -> dict[str, str | None]:
        """The hashes of what the stage reads; None for a stage that is not done."""
        return {name: self.records.get(name, {}).get("output") for name in stage.after}

    def output(self, stage: Stage) -> str | None:
        """A hash of what the stage wrote, None when some of it is missing."""
        found: list[Path] = []
        for path in stage.output:
            if not path.exists():
                return None
            inside = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
            found += [file for file in inside if not any(file.match(glob) for glob in stage.exclude)]
        return hash_files(found, self.folder)

    def started(self, stage: Stage) -> bool:
        """Whether the stage's record is of the command, the code and the inputs that it has now."""
        record = self.records.get(stage.name, {})
        return record.get("own") == self.own(stage) and record.get("inputs") == self.inputs(stage)

    def fresh(self, stage: Stage) -> bool:
        """Whether the stage is done and its output still there unchanged.

        Inputs are compared by content: a change upstream that leads to the same files does not run it again.
        """
        output = self.records.get(stage.name, {}).get("output")
        return output is not None and self.started(stage) and output == self.output(stage)

    def write(self, stage: Stage, **values: Any) -> None:
        """Store a stage's record, and the cost table beside it; safe to call from several threads."""
        with self._lock:
            record = {"key": self.keys[stage.name], "own": self.own(stage), "inputs": self.inputs(stage)}
            self.records[stage.name] = record | values
            self.folder.mkdir(parents=True, exist_ok=True)
            for name, text in (("stages.json", json.dumps(self.records, indent=2) + "\n"), ("cost.md", self.cost())):
                fresh = self.folder / f"{name}.new"
                fresh.write_text(text, encoding="utf-8")
                os.replace(fresh, self.folder / name)

    def cost(self) -> str:
        """Minutes per stage as Markdown."""
        lines = ["| stage | minutes | CPU minutes |", "|---|---|---|"]
        done = [(stage.name, self.records[stage.name]) for stage in self.stages if stage.name in self.records]
        for name, record in done:
            lines.append(f"| {name} | {record['minutes']:.1f} | {record['cpu_minutes']:.1f} |")
        total = [sum(record[key] for _, record in done) for key in ("minutes", "cpu_minutes")]
        return "\n".join([*lines, f"| total | {total[0]:.1f} | {total[1]:.1f} |", ""])


def _digest(values: Any) -> str:
    return hashlib.sha256(json.dumps(values).encode()).hexdigest()[:16]
