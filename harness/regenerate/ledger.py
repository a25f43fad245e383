"""What was done, from which inputs and at what cost: stages are skipped while their inputs' hashes are unchanged."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness.errors import UserError

PACKAGE = Path(__file__).parents[2]


@dataclass(frozen=True)
class Stage:
    """One command. after: stages whose outputs it reads. code: source files (globs from the package's root) that
    decide its result. output: files or folders it writes, hashed to make the next stages' keys. exclude: globs of
    outputs that may differ between equal runs (times, hardware). module: what `python -m` runs.
    """

    name: str
    command: tuple[str, ...]
    output: tuple[Path, ...]
    after: tuple[str, ...] = ()
    code: tuple[str, ...] = ()
    module: str = "harness.cli"
    exclude: tuple[str, ...] = ("manifest.json", "README.md", "*.log", "log.jsonl", "run.json", "*.lock")

    def typed(self) -> str:
        """The command as one would type it."""
        program = ("harness",) if self.module == "harness.cli" else ("python", "-m", self.module)
        return shlex.join((*program, *self.command))


def hash_files(files: Iterable[Path], root: Path | None = None) -> str:
    """16 hex digits over names and contents, in order of name."""
    digest = hashlib.sha256()
    for file in sorted(set(files)):
        digest.update(str(file.relative_to(root) if root else file.name).encode() + b"\0")
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()[:16]


@dataclass
class Ledger:
    """`stages.json` of a regeneration: per stage its key, its output's hash, minutes, CPU minutes and when."""

    folder: Path
    stages: Sequence[Stage]
    records: dict[str, dict[str, Any]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def __post_init__(self) -> None:
        file = self.folder / "stages.json"
        if file.exists():
            self.records = json.loads(file.read_text(encoding="utf-8"))

    def key(self, stage: Stage) -> str | None:
        """What decides the stage's result; None while a stage it reads from is not done."""
        before = [self.records.get(name, {}).get("output") for name in stage.after]
        if None in before:
            return None
        code = hash_files((file for glob in stage.code for file in PACKAGE.glob(glob) if file.is_file()), PACKAGE)
        content = json.dumps([stage.name, [str(part) for part in stage.command], before, code])
        return hashlib.sha256(content.encode()).hexdigest()[:16]

    def output(self, stage: Stage) -> str | None:
        """A hash of what the stage wrote, None when some of it is missing."""
        found: list[Path] = []
        for path in stage.output:
            if not path.exists():
                return None
            inside = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
            found += [file for file in inside if not any(file.match(glob) for glob in stage.exclude)]
        return hash_files(found, self.folder)

    def fresh(self, stage: Stage) -> bool:
        """Whether the stage was done from the inputs it has now, and its output is still there unchanged."""
        record, key = self.records.get(stage.name), self.key(stage)
        if record is None or key is None or record.get("key") != key:
            return False
        return record.get("output") is not None and record["output"] == self.output(stage)

    def run(self, say: Callable[[str], None], until: str | None = None, jobs: int = 1) -> None:
        """Run what is not fresh, up to `jobs` stages at a time, each after the stages it reads from.

        Stops starting stages when one fails, waits for the others, then raises UserError naming the first that failed.
        """
        last = next((i for i, stage in enumerate(self.stages) if stage.name == until), len(self.stages) - 1)
        waiting = list(self.stages[: last + 1])
        if until:  # what `until` does not read from need not run
            needed = self._needed(waiting[-1])
            waiting = [stage for stage in waiting if stage.name in needed]
        running: dict[Future[None], Stage] = {}
        failures: list[BaseException] = []
        with ThreadPoolExecutor(jobs) as pool:
            while running or (waiting and not failures):
                unfinished = {stage.name for stage in (*waiting, *running.values())}
                for stage in [stage for stage in waiting if not unfinished & set(stage.after)]:
                    if len(running) == jobs or failures:
                        break
                    waiting.remove(stage)
                    running[pool.submit(self._visit, stage, say, jobs)] = stage
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    running.pop(future)
                    failures += [error] if (error := future.exception()) else []
        if failures:
            raise failures[0]

    def _needed(self, stage: Stage) -> set[str]:
        """The names of `stage` and of everything it reads from, directly or not."""
        by_name = {stage.name: stage for stage in self.stages}
        return {stage.name}.union(*(self._needed(by_name[name]) for name in stage.after))

    def _visit(self, stage: Stage, say: Callable[[str], None], jobs: int) -> None:
        place = f"[{self.stages.index(stage) + 1}/{len(self.stages)}] {stage.name}"
        if self.fresh(stage):
            say(f"{place}: unchanged, skipped ({self.records[stage.name]['minutes']:.1f} min when it ran)")
            return
        say(f"{place}: {stage.typed()}")
        self._run(stage, jobs)
        say(f"{place}: done in {self.records[stage.name]['minutes']:.1f} min")

    def _run(self, stage: Stage, jobs: int) -> None:
        key = self.key(stage)
        old = self.records.get(stage.name, {})
        earlier = old if old.get("key") == key and old.get("output") is None else {}
        began, code, cpu = time.monotonic(), 1, 0.0
        try:
            code, cpu = _command(stage, jobs)
        finally:
            record = {
                "key": key,
                "command": stage.typed(),
                "minutes": earlier.get("minutes", 0.0) + (time.monotonic() - began) / 60,
                "cpu_minutes": earlier.get("cpu_minutes", 0.0) + cpu / 60,
                "output": self.output(stage) if code == 0 else None,
                "finished": datetime.now(UTC).isoformat(timespec="seconds") if code == 0 else None,
            }
            with self._lock:
                self.records[stage.name] = record
                self.save()
        if code:
            raise UserError(f"The stage {stage.name} ended with exit code {code}; mend it and run the same again.")
        if record["output"] is None:
            missing = next(path for path in stage.output if not path.exists())
            raise UserError(f"The stage {stage.name} ended well but did not write {missing}.")

    def save(self) -> None:
        """Write `stages.json` and the cost table beside it."""
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


def _command(stage: Stage, jobs: int) -> tuple[int, float]:
    """Run the stage's command with its share of the cores; (exit code, CPU seconds of it and its children)."""
    env = os.environ if jobs == 1 else os.environ | {"OMP_NUM_THREADS": str(max(1, (os.cpu_count() or 1) // jobs))}
    process = subprocess.Popen([sys.executable, "-m", stage.module, *stage.command], stdout=sys.stderr, env=env)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, usage.ru_utime + usage.ru_stime
