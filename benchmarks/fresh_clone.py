"""How long from a fresh clone to the first result, side by side for several commits.

    python benchmarks/fresh_clone.py feee483 HEAD [--turns 3] [--target run] [--cold]

Every turn clones the repository once a commit, in turn, into a temporary folder and calls `make TARGET` there (`setup`
installs only). Printed are the medians of wall and processor seconds and their ratio to the first commit's. uv's cache
is shared by the turns, or with --cold empty at each; pip's is the user's own. Nothing else should run meanwhile.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def turn(commit: str, target: str, cache: Path) -> tuple[float, float]:
    """Wall and processor seconds of clone, checkout and `make target`. Raises CalledProcessError with the output."""
    with tempfile.TemporaryDirectory() as folder:
        clone = Path(folder) / "clone"
        environment = {**os.environ, "UV_CACHE_DIR": str(cache)}
        before, start = processor(), time.perf_counter()
        for command in (
            ["git", "clone", "--quiet", str(ROOT), str(clone)],
            ["git", "-C", str(clone), "checkout", "--quiet", commit],
            ["make", "-C", str(clone), target],
        ):
            subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
        return time.perf_counter() - start, processor() - before


def processor() -> float:
    """Processor seconds of all child processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> int:
    """The command. Returns 0, or 1 after the output of what failed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("commits", nargs="+", help="the first is what the others are compared with")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--target", default="run", help="target of the Makefile")
    parser.add_argument("--cold", action="store_true", help="give every turn an empty uv cache")
    given = parser.parse_args()
    find = ["git", "-C", str(ROOT), "rev-parse", "--short"]
    commits = [
        subprocess.run([*find, name], check=True, capture_output=True, text=True).stdout.strip()
        for name in given.commits
    ]
    seen: dict[str, list[tuple[float, float]]] = {commit: [] for commit in commits}
    with tempfile.TemporaryDirectory() as cache:
        for number in range(given.turns):
            for commit in commits:
                try:
                    seen[commit].append(
                        turn(commit, given.target, Path(cache) / (f"{commit}-{number}" if given.cold else "uv"))
                    )
                except subprocess.CalledProcessError as error:
                    print(f"{error}\n{error.stdout}{error.stderr}", file=sys.stderr)
                    return 1
                wall, cpu = seen[commit][-1]
                print(f"turn {number + 1} {commit}: {wall:.1f} s, processor {cpu:.1f} s", file=sys.stderr, flush=True)
    medians = {
        commit: [statistics.median(values) for values in zip(*turns, strict=True)] for commit, turns in seen.items()
    }
    first = medians[commits[0]]
    for commit, (wall, cpu) in medians.items():
        result = {"wall": wall, "processor": cpu, "wall_ratio": wall / first[0], "processor_ratio": cpu / first[1]}
        print(json.dumps({"commit": commit, "load": os.getloadavg()[0], **{k: round(v, 3) for k, v in result.items()}}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
