"""How long and how much memory `harness.load_runs` needs for a million samples.

    python -m benchmarks.store [SAMPLES] [RUNS]

Writes a store of realistic lines (prompt, 64 output ids with their pieces and trace, about 2 KB each) into a temporary
folder, loads it in a process of its own and prints seconds and peak memory.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.synthetic import run_of, sample
from harness.store import RunFolder
from harness.store.samples import ordered

LOAD = """
import resource, sys, time
start = time.perf_counter()
import harness
runs, points, samples = harness.load_runs(sys.argv[1])
seconds = time.perf_counter() - start
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
frame = samples.memory_usage(deep=True).sum() / 2**20
cpu = time.process_time()
print(f"{len(runs)} runs, {len(samples)} samples: {seconds:.1f} s ({cpu:.1f} CPU s), "
      f"peak {peak:.2f} GB, frame {frame:.0f} MB, accuracy {100 * samples.correct.mean():.1f} %, "
      f"TPF {samples.tokens.sum() / samples.forwards.sum():.3f}")
"""


def line(doc_id: int) -> str:
    """One line of samples.jsonl as a run of the mini suite writes it."""
    return json.dumps(ordered(sample(doc_id, correct=doc_id % 3 > 0, forwards=9 + doc_id % 7))) + "\n"


def write_store(place: Path, samples: int, runs: int) -> int:
    """Write `runs` runs that together hold `samples` samples; returns the bytes."""
    for seed in range(runs):
        run = run_of("m", "t", 0.5, seed)
        folder = RunFolder(place / "mini" / "m" / "t" / run["run_id"])
        with folder.open(run):
            pass
        with open(folder.path / "samples.jsonl", "w", encoding="utf-8") as file:
            file.writelines(map(line, range(samples // runs)))
    return sum(file.stat().st_size for file in place.rglob("samples.jsonl"))


def main(samples: int = 1_000_000, runs: int = 500) -> None:
    with tempfile.TemporaryDirectory() as place:
        start = time.perf_counter()
        size = write_store(Path(place), samples, runs)
        print(f"wrote {size / 2**30:.2f} GB in {time.perf_counter() - start:.0f} s")
        subprocess.run([sys.executable, "-c", LOAD, place], check=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
