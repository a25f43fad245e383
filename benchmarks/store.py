"""How long and how much memory `harness.load_runs` needs for a million samples.

    python benchmarks/store.py [SAMPLES] [RUNS]

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

from harness.store import RunFolder, run_id
from harness.store.identity import IDENTITY
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
print(f"{len(runs)} runs, {len(samples)} samples: {seconds:.1f} s ({cpu:.1f} s of processor), "
      f"peak {peak:.2f} GB, frame {frame:.0f} MB, accuracy {100 * samples.correct.mean():.1f} %, "
      f"TPF {samples.tokens.sum() / samples.forwards.sum():.3f}")
"""


def line(doc_id: int) -> str:
    """One line of samples.jsonl as a run of the mini suite writes it."""
    ids = [(doc_id * 31 + 7 * j) % 512 for j in range(64)]
    sample = {
        "doc_id": doc_id,
        "task": "gsm8k",
        "prompt_hash": f"{doc_id:016x}",
        "prompt": "Question: Anna has 3 apples and buys 4 more. How many apples does she have now?\nAnswer:",
        "prompt_tokens": 37,
        "output_ids": ids,
        "pieces": [f" {token}" for token in ids],
        "text": " ".join(map(str, ids[:40])),
        "extracted": str(doc_id % 97),
        "outcome": "correct" if doc_id % 3 else "wrong",
        "correct": int(doc_id % 3 > 0),
        "strict": int(doc_id % 3 > 0),
        "flexible": int(doc_id % 3 > 0),
        "stop_reason": "eos",
        "forwards": {"prefill": 0, "denoise": 9 + doc_id % 7, "refresh": 0, "draft": 0},
        "nfe": 9 + doc_id % 7,
        "positions": 1000 + doc_id % 50,
        "tokens": 40,
        "tokens_compat": {"d3llm": 41, "tad": 41},
        "revisions": 0,
        "truncated": False,
        "seconds": 0.0421,
        "trace": [1 + j // 7 for j in range(64)],
        "detail": "",
    }
    return json.dumps(ordered(sample)) + "\n"


def write_store(place: Path, samples: int, runs: int) -> int:
    """Write `runs` runs that together hold `samples` samples; returns the bytes."""
    for seed in range(runs):
        run = dict.fromkeys(IDENTITY, "x") | {"suite": "mini", "method": "m", "task": "t", "seed": seed, "setting": {}}
        folder = RunFolder(place / "mini" / "m" / "t" / run_id(run))
        with folder.open({**run, "run_id": run_id(run), "sessions": []}):
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
