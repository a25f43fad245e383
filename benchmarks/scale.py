"""Seconds and peak memory of `ls`, `load_runs`, `report` and the plan of a sweep on a large store.

    python -m benchmarks.scale [RUNS] [SAMPLES] [VERB ...]

Writes RUNS runs of SAMPLES samples (about 2 KB a line) into a temporary folder, each distinct line made once, and
runs every verb in a process of its own. Nothing is decoded.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.report import METHODS, TASKS
from benchmarks.synthetic import run_of, sample
from harness.metrics import summarise
from harness.store import RunFolder
from harness.store.samples import ordered

LOAD = "import harness, sys; runs, points, samples = harness.load_runs(sys.argv[1]); print(len(runs), len(samples))"
CLI = [sys.executable, "-m", "harness.cli"]
SWEEP = ["sweep", "--suite", "mini", "--methods", "tad_speed", "--tasks", "gsm8k", "--limit", "2", "--dry-run"]


def write_store(place: Path, runs: int, samples: int) -> int:
    """Write the store; returns its bytes of samples."""
    size = 0
    for number in range(runs):
        method, task = METHODS[number % len(METHODS)], TASKS[number // len(METHODS) % len(TASKS)]
        step = number // (len(METHODS) * len(TASKS))
        rows = [sample(doc, (doc + number) % 3 > 0, 9 + (doc + step) % 7, task) for doc in range(samples)]
        run = run_of(method, task, round(0.95 - step / max(1, runs), 6))
        folder = RunFolder(place / run["suite"] / run["method"] / run["task"] / run["run_id"])
        with folder.open(run):
            text = "".join(json.dumps(ordered(row)) + "\n" for row in rows)
            (folder.path / "samples.jsonl").write_text(text, encoding="utf-8")
            folder.finish(summarise(run, rows))
        size += len(text)
    return size


def measured(name: str, command: list[str]) -> None:
    """Run a command, print its seconds and its peak memory."""
    script = (
        "import resource, subprocess, sys, time\n"
        "start = time.perf_counter()\n"
        "done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)\n"
        "use = resource.getrusage(resource.RUSAGE_CHILDREN)\n"
        "print(done.returncode, time.perf_counter() - start, use.ru_utime + use.ru_stime, use.ru_maxrss / 2**20)\n"
    )
    out = subprocess.run([sys.executable, "-c", script, *command], capture_output=True, text=True, check=True).stdout
    code, wall, cpu, peak = out.split()
    print(f"{name}: exit {code}, {float(wall):.1f} s ({float(cpu):.1f} CPU s), peak {float(peak):.2f} GB", flush=True)


def main(runs: int = 10_000, samples: int = 1_000, *verbs: str) -> None:
    """Write the store and measure what was asked for, everything by default."""
    with tempfile.TemporaryDirectory() as folder:
        store, start = Path(folder) / "runs", time.perf_counter()
        size = write_store(store, runs, samples)
        load = os.getloadavg()[0]
        print(
            f"{runs} runs of {samples}: {size / 2**30:.2f} GB in {time.perf_counter() - start:.0f} s; load {load:.1f}"
        )
        plan = [*SWEEP, "--calibrate", "2", "--out", str(store)]
        commands = {
            "ls": [*CLI, "ls", "runs", "--runs", str(store)],
            "load_runs": [sys.executable, "-c", LOAD, str(store)],
            "sweep": [*CLI, *plan],
            "report": [*CLI, "report", "--runs", str(store), "--out", f"{folder}/out", "--no-figures"],
        }
        for name in verbs or commands:
            measured(name, commands[name])


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    main(*map(int, sys.argv[1:3]), *sys.argv[3:])
