"""What reusing canvases saves: two checkouts side by side, the same documents and settings, the same tokens.

    python benchmarks/reuse.py OLD_CHECKOUT NEW_CHECKOUT [--case CASE] [--documents 40] [--turns 5]

tad_speed: its six settings. base: every row of the base checkpoint without a cache, 16 settings. large: tad_speed's
settings on a random model of 8 layers of 512 with 32,000 ids. These three time the decoding alone, after a warm-up, in
one process a checkout; `sweep` times the whole of `harness sweep` for tad_speed. slowest: six settings over the slowest
one alone, both in NEW. Checkouts alternate; seconds are processor seconds on one thread; printed are medians and their
ratios. The command fails if the two give different tokens, commit orders or forward counts.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

BASE = (
    ("multi_block", "threshold", {}),
    ("fast_dllm_factor", "factor", {"cache": "none"}),
    ("vanilla", "tokens_per_step", {}),
)
LARGE = {
    "model_type": "llada",
    "d_model": 512,
    "mlp_hidden_size": 1536,
    "n_layers": 8,
    "n_heads": 8,
    "n_kv_heads": 8,
    "max_sequence_length": 1024,
    "rope_theta": 10000.0,
    "rms_norm_eps": 1e-5,
    "embedding_size": 32000,
    "weight_tying": False,
    "vocab_size": 32000,
    "mask_token_id": 31999,
    "eos_token_id": 31998,
    "pad_token_id": 31997,
}


def requests(case: str, documents: int) -> tuple[Any, list[Any]]:
    """The backbone and the requests of a case, setting by setting."""
    from harness.runner.job import choose, prepare
    from harness.runner.models import ModelCache
    from harness.runner.prompts import prompts, request
    from harness.runner.spec import RunSpec
    from methods import registry

    rows = BASE if case == "base" else (("tad_speed", "threshold", {}),)
    models, found, loaded, jobs = ModelCache(), [], None, []
    for name, axis, settings in rows:
        points = registry.get(name).points
        for point in points[:1] if case == "slowest" else points:
            spec = RunSpec(name, "gsm8k", settings={axis: point, **settings}, limit=documents)
            jobs.append(prepare(choose(spec), models, loaded))
            loaded = jobs[-1].loaded
    asked = prompts(jobs[0], documents)
    backbone = large() if case == "large" else jobs[0].backbone
    for job in jobs:
        found += [request(job, one) for one in asked]
    return backbone, found


def large() -> Any:
    """Random weights with a head so sharp that thresholds decide differently."""
    import torch

    from methods.backbones import create

    backbone = create(LARGE, 0)
    with torch.no_grad():
        backbone.model.lm_head.weight.mul_(12.0)
    return backbone


def work(case: str, documents: int) -> None:
    """Decode a case once for every line on stdin, and print what it took."""
    import torch

    torch.set_num_threads(1)
    backbone, asked = requests(case, documents)
    for _ in sys.stdin:
        print(json.dumps(decoded(backbone, asked)), flush=True)


def decoded(backbone: Any, asked: list[Any]) -> dict[str, Any]:
    """One decoding: processor seconds, forwards that ran, and a digest of what came out."""
    from methods.decoding import decode

    tick = time.process_time()
    results = sorted(decode(backbone, asked, batch_size=16), key=lambda result: result.index)
    seconds = time.process_time() - tick
    return {
        "seconds": seconds,
        "forwards": sum(getattr(result, "forwards_run", result.total_forwards) for result in results),
        "digest": _digest([[r.output_ids, r.reveal_step, r.forwards, r.positions, r.stop_reason] for r in results]),
    }


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()[:16]


class Decoding:
    """`work` in a process of a checkout's own; called, it decodes once. The first time is to warm up."""

    def __init__(self, checkout: Path, case: str, documents: int) -> None:
        words = [sys.executable, __file__, "--work", case, "--documents", str(documents)]
        pipe = subprocess.PIPE
        self._worker = subprocess.Popen(
            words, env=_environment(checkout), cwd=checkout, stdin=pipe, stdout=pipe, text=True
        )
        self()

    def __call__(self) -> dict[str, Any]:
        assert self._worker.stdin is not None
        assert self._worker.stdout is not None
        print(file=self._worker.stdin, flush=True)
        line = self._worker.stdout.readline()
        if not line:
            raise SystemExit("The decoding process ended; what it said stands above.")
        found: dict[str, Any] = json.loads(line)
        return found


def sweep(checkout: Path, documents: int) -> dict[str, Any]:
    """`harness sweep` of tad_speed, from the start of its process to its end."""
    with tempfile.TemporaryDirectory() as out:
        before = _processor()
        words = ["--suite", "mini", "--methods", "tad_speed", "--tasks", "gsm8k", "--calibrate", "0", "--json"]
        _run(checkout, ["-m", "harness.cli", "sweep", *words, "--limit", str(documents), "--out", out])
        seconds = _processor() - before
        lines: list[Any] = []
        forwards = 0
        for path in sorted(Path(out).rglob("samples.jsonl")):
            setting = json.loads((path.parent / "run.json").read_text())["setting"]
            for line in map(json.loads, path.read_text().splitlines()):
                lines.append([setting, line["doc_id"], line["output_ids"], line["trace"], line["forwards"]])
                forwards += line.get("forwards_run", sum(line["forwards"].values()))
    lines.sort(key=json.dumps)
    return {"seconds": seconds, "forwards": forwards, "digest": _digest(lines)}


def _processor() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _environment(checkout: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(checkout), "OMP_NUM_THREADS": "1", "PYTHONSAFEPATH": "1"}


def _run(checkout: Path, words: list[str]) -> str:
    command = [sys.executable, *words]
    done = subprocess.run(
        command, env=_environment(checkout), cwd=checkout, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{checkout}: {done.stderr}")
    return done.stdout


def compare(sides: list[tuple[str, Any]], turns: int, same: bool) -> dict[str, Any]:
    """Medians of the two sides, run in turn, and their ratio. Exits when `same` and the tokens differ."""
    seen: dict[str, list[dict[str, Any]]] = {name: [] for name, _ in sides}
    for turn in range(turns):
        for name, measure in sides:
            seen[name].append(measure())
            print(f"turn {turn + 1} {name}: {seen[name][-1]}", file=sys.stderr, flush=True)
        if same and len({found[-1]["digest"] for found in seen.values()}) > 1:
            raise SystemExit("The two sides give different results.")
    first, second = (
        {key: statistics.median(one[key] for one in seen[name]) for key in ("seconds", "forwards")} for name, _ in sides
    )
    ratios = {f"{key}_ratio": round(second[key] / first[key], 3) for key in first}
    return {sides[0][0]: first, sides[1][0]: second, **ratios, "turns": turns, "load": os.getloadavg()[0]}


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("checkouts", nargs="*", type=Path, metavar="CHECKOUT")
    parser.add_argument("--case", default="tad_speed", choices=("tad_speed", "base", "large", "sweep", "slowest"))
    parser.add_argument("--documents", type=int, default=40)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--work", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.work:
        work(given.work, given.documents)
        return
    old, new = (path.resolve() for path in given.checkouts)
    if given.case == "sweep":
        sides: list[tuple[str, Any]] = [
            ("old", lambda: sweep(old, given.documents)),
            ("new", lambda: sweep(new, given.documents)),
        ]
    elif given.case == "slowest":
        sides = [
            ("slowest alone", Decoding(new, "slowest", given.documents)),
            ("six settings", Decoding(new, "tad_speed", given.documents)),
        ]
    else:
        sides = [(name, Decoding(at, given.case, given.documents)) for name, at in (("old", old), ("new", new))]
    print(json.dumps({"case": given.case, **compare(sides, given.turns, given.case != "slowest")}))


if __name__ == "__main__":
    main()
