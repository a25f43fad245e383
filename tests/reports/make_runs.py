"""Run folders for tests, written as the store writes them: seeded made-up samples, summarised by `harness.metrics`."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

from harness.metrics import summarise
from harness.store import RunFolder


def make_run(
    root: Path,
    method: str = "tad_speed",
    task: str = "gsm8k",
    threshold: float = 0.5,
    *,
    suite: str = "mini",
    seed: int = 0,
    n: int = 40,
    accuracy: float = 0.6,
    tpf: float = 4.0,
    protocol: str | None = None,
    tag: str = "",
    finish: bool = True,
    **changes: Any,
) -> Path:
    """Write one finished run (or, without `finish`, an unfinished one) and return its folder."""
    run_id = f"{method}-{task}-{threshold}-{seed}{tag}"
    run = {
        "run_id": run_id,
        "suite": suite,
        "method": method,
        "task": task,
        "setting": {"threshold": threshold},
        "axis": "threshold",
        "axis_value": threshold,
        "fidelity": "fixed",
        "gen_length": 96,
        "protocol": protocol or f"mini/{task}",
        "protocol_version": 1,
        "protocol_digest": "0123456789abcdef",
        "metric": "exact_match,flexible-extract",
        "checkpoint": "package:mini/base",
        "checkpoint_fingerprint": "f00d",
        "data": {"kind": "mini"},
        "data_fingerprint": "beef",
        "seed": seed,
        "dtype": "float32",
        "code_version": "1",
        "sessions": [
            {
                "started": "2026-01-02T03:04:05Z",
                "command": ["harness", "run", "--method", method, "--task", task, "--set", f"threshold={threshold}"],
                "batch_size": 16,
                "device": "cpu",
            }
        ],
        **changes,
    }
    random_ = random.Random(f"{method}{task}{threshold}{seed}")
    lines = [sample(doc, task, accuracy, tpf, random_) for doc in range(n)]
    path = root / suite / method / task / run_id
    with RunFolder(path).open(run) as folder:
        for line in lines:
            folder.append(line)
        if finish:
            folder.finish(summarise(run, lines))
    return path


def sample(doc: int, task: str, accuracy: float, tpf: float, random_: random.Random) -> dict[str, Any]:
    """One line of samples.jsonl with a trace that the replay can show."""
    tokens = random_.randint(8, 24)
    forwards = max(1, round(tokens / tpf + random_.uniform(-0.4, 0.4)))
    correct = random_.random() < accuracy
    pieces = [f" w{j}" for j in range(tokens)] + ["<|eos|>"]
    trace = [1 + j * forwards // (tokens + 1) for j in range(tokens + 1)]
    return {
        "doc_id": doc,
        "task": task,
        "prompt_hash": f"{doc:08x}",
        "prompt": f"Question: {doc}?\nAnswer:",
        "prompt_tokens": 12,
        "output_ids": list(range(tokens + 1)),
        "pieces": pieces,
        "text": "".join(pieces[:-1]),
        "extracted": "4",
        "outcome": "correct" if correct else "wrong",
        "correct": correct,
        "stop_reason": "eos",
        "forwards": {"prefill": 0, "denoise": forwards, "refresh": 0, "draft": 0},
        "nfe": forwards,
        "positions": forwards * 128,
        "tokens": tokens,
        "seconds": 0.01 * forwards,
        "trace": trace,
    }


def edit_json(path: Path, **changes: Any) -> None:
    """Change keys of a JSON file in place (NaN allowed, as a broken writer would)."""
    content = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**content, **changes}), encoding="utf-8")
