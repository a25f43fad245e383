"""How long `harness report` needs for 500 runs of four tasks, with every figure and the page.

    python -m benchmarks.report [RUNS] [SAMPLES]

Writes synthetic run folders (10 methods, four tasks, the rest thresholds; 500 runs of 100 samples when nothing is
given) into a temporary folder, reports them in a process of its own and prints seconds on the clock, CPU
seconds (all its processes together), files, the page's size and the machine's load.
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

from benchmarks.synthetic import curve_samples, run_of, write_run

METHODS = (
    *("vanilla", "fast_dllm_dual", "fast_dllm_prefix", "d2f", "dparallel", "d3llm", "tad_speed", "tad_quality"),
    *("fast_dllm_v2", "my_own"),
)
TASKS = ("gsm8k", "math", "humaneval", "mbpp")


def write_runs(root: Path, runs: int, samples: int) -> int:
    """Curves of every method on every task, as many points each as `runs` allow; returns how many were written."""
    settings = max(1, runs // (len(METHODS) * len(TASKS)))
    rest = runs - settings * len(METHODS) * len(TASKS)
    cells = [(method, task) for method in METHODS for task in TASKS]
    for index, (method, task) in enumerate(cells):
        for step in range(settings + (index < rest)):
            place = step / max(1, settings)
            accuracy, tpf = 0.75 - 0.1 * place**2 - 0.01 * (index % 7), 1.0 + (1 + index % 5) * place
            run = run_of(method, task, round(0.95 - 0.9 * place, 4))
            write_run(root, run, curve_samples(task, samples, accuracy, tpf, seed=run["run_id"]))
    return sum(1 for _ in root.rglob("summary.json"))


def main(runs: int = 500, samples: int = 100) -> None:
    """Write, report, print one line."""
    with tempfile.TemporaryDirectory() as folder:
        root, out = Path(folder) / "runs", Path(folder) / "out"
        written = write_runs(root, runs, samples)
        command = [sys.executable, "-m", "harness.cli", "report", "--runs", str(root), "--out", str(out), "--json"]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        start = time.perf_counter()
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        wall = time.perf_counter() - start
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        files = len(json.loads(done.stdout)["files"])
        page = (out / "index.html").stat().st_size / 2**20
    print(
        f"{written} runs of {samples} samples: {wall:.1f} s, {cpu:.1f} CPU seconds; {files} files, "
        f"page {page:.2f} MB; {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
    )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
