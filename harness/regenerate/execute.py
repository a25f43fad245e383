"""Runs the stages that are not fresh, several at a time, each after the stages it reads from."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import UTC, datetime

from harness.errors import UserError
from harness.regenerate.records import Records
from harness.regenerate.roots import ROOT
from harness.regenerate.stage import Stage

Report = Callable[[str], None]


def run(records: Records, report: Report, until: str | None = None, jobs: int = 1) -> None:
    """Run what is not fresh, up to `jobs` stages at a time. until: only this stage and what it depends on.

    Starts no stage after one has failed, waits for those that run, then raises UserError naming the first failure.
    """
    waiting = _needed(records, until)
    running: dict[Future[None], Stage] = {}
    failures: list[BaseException] = []
    with ThreadPoolExecutor(jobs) as pool:
        while running or (waiting and not failures):
            unfinished = {stage.name for stage in (*waiting, *running.values())}
            for stage in [stage for stage in waiting if not unfinished & set(stage.after)]:
                if len(running) == jobs or failures:
                    break
                waiting.remove(stage)
                running[pool.submit(_visit, records, stage, report, jobs)] = stage
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                running.pop(future)
                failures += [error] if (error := future.exception()) else []
    if failures:
        raise failures[0]


def _needed(records: Records, until: str | None) -> list[Stage]:
    """The stages to look at, in order: all of them, or `until` and everything it reads from, directly or not."""
    if until is None:
        return list(records.stages)
    by_name = {stage.name: stage for stage in records.stages}
    names, open_ = set(), [until]
    while open_:
        names.add(name := open_.pop())
        open_ += by_name[name].after
    return [stage for stage in records.stages if stage.name in names]


def _visit(records: Records, stage: Stage, report: Report, jobs: int) -> None:
    place = f"[{records.stages.index(stage) + 1}/{len(records.stages)}] {stage.name}"
    if records.fresh(stage):
        report(f"{place}: unchanged, skipped ({records.records[stage.name]['minutes']:.1f} min when it ran)")
        return
    report(f"{place}: {stage.typed()}")
    _run(records, stage, jobs)
    report(f"{place}: done in {records.records[stage.name]['minutes']:.1f} min")


def _run(records: Records, stage: Stage, jobs: int) -> None:
    before = records.records.get(stage.name, {})
    earlier = before if records.started(stage) and before.get("output") is None else {}  # interrupted: minutes add up
    began, code, cpu = time.monotonic(), 1, 0.0
    output = None
    try:
        code, cpu = _command(stage, jobs)
        output = records.output(stage) if code == 0 else None
    finally:
        records.write(
            stage,
            command=stage.typed(),
            minutes=earlier.get("minutes", 0.0) + (time.monotonic() - began) / 60,
            cpu_minutes=earlier.get("cpu_minutes", 0.0) + cpu / 60,
            output=output,
            finished=datetime.now(UTC).isoformat(timespec="seconds") if code == 0 else None,
        )
    if code:
        raise UserError(f"The stage {stage.name} ended with exit code {code}; fix the cause and run the same command.")
    if output is None:
        missing = next(path for path in stage.output if not path.exists())
        raise UserError(f"The stage {stage.name} ended without an error but did not write {missing}.")


def _command(stage: Stage, jobs: int) -> tuple[int, float]:
    """Run the stage's command with its share of the cores; (exit code, CPU seconds of it and its children).

    The child imports the same packages as this process: `-P` keeps a `tasks.py` in the user's folder out.
    """
    path = [str(ROOT), *([os.environ["PYTHONPATH"]] if os.environ.get("PYTHONPATH") else [])]
    env = os.environ | {"PYTHONPATH": os.pathsep.join(path)}
    if jobs > 1:
        env["OMP_NUM_THREADS"] = str(max(1, (os.cpu_count() or 1) // jobs))
    command = [sys.executable, "-P", "-m", stage.module, *stage.command]
    process = subprocess.Popen(command, stdout=sys.stderr, env=env)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, usage.ru_utime + usage.ru_stime
