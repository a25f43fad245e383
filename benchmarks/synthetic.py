"""Run folders as a run of the mini suite writes them, with made-up samples: what the other benchmarks read."""

from __future__ import annotations

import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from harness.metrics import summarise
from harness.store import RunFolder, run_id
from harness.store.identity import IDENTITY

SLOTS, TOKENS = 64, 40
PROMPT = "Question: Anna has 3 apples and buys 4 more. How many apples does she have now?\nAnswer:"


def sample(doc_id: int, correct: bool, forwards: int, task: str = "gsm8k") -> dict[str, Any]:
    """One line of samples.jsonl, about 2 KB: 64 output ids with their pieces and trace, 40 of them kept."""
    ids = [(doc_id * 31 + 7 * j) % 512 for j in range(SLOTS)]
    return {
        "doc_id": doc_id,
        "task": task,
        "prompt_hash": f"{doc_id:016x}",
        "prompt": PROMPT,
        "prompt_tokens": 37,
        "output_ids": ids,
        "pieces": [f" {token}" for token in ids],
        "text": " ".join(map(str, ids[:TOKENS])),
        "extracted": str(doc_id % 97),
        "outcome": "correct" if correct else "wrong",
        "correct": int(correct),
        "strict": int(correct),
        "flexible": int(correct),
        "stop_reason": "eos",
        "forwards": {"prefill": 0, "denoise": forwards, "refresh": 0, "draft": 0},
        "nfe": forwards,
        "positions": 1000 + doc_id % 50,
        "tokens": TOKENS,
        "tokens_compat": {"d3llm": 41, "tad": 41},
        "revisions": 0,
        "truncated": False,
        "seconds": 0.0421,
        "trace": [1 + j * forwards // SLOTS for j in range(SLOTS)],
        "detail": "",
    }


def curve_samples(task: str, count: int, accuracy: float, tpf: float, seed: str) -> list[dict[str, Any]]:
    """Samples of one point of a curve: accuracy is a share, tpf in tokens per forward pass."""
    rng = random.Random(seed)
    forwards = [max(1, round(TOKENS / tpf + rng.uniform(-0.4, 0.4))) for _ in range(count)]
    return [sample(doc, rng.random() < accuracy, forwards[doc], task) for doc in range(count)]


def run_of(method: str, task: str, value: float, seed: int = 0) -> dict[str, Any]:
    """run.json of one point: `threshold` is the swept parameter."""
    facts: dict[str, Any] = dict.fromkeys(IDENTITY, "x")
    facts |= {"suite": "mini", "method": method, "task": task, "setting": {"threshold": value}, "seed": seed}
    facts |= {"axis": "threshold", "axis_value": value, "fidelity": "fixed", "protocol": f"mini/{task}"}
    facts |= {"metric": "exact_match,flexible-extract", "protocol_version": 1, "gen_length": SLOTS}
    return {**facts, "run_id": run_id(facts), "sessions": [{"batch_size": 16, "device": "cpu"}]}


def write_run(place: Path, run: dict[str, Any], samples: Iterable[dict[str, Any]]) -> Path:
    """Write a finished run and return its folder."""
    rows = list(samples)
    path = place / run["suite"] / run["method"] / run["task"] / run["run_id"]
    with RunFolder(path).open(run) as folder:
        for row in rows:
            folder.append(row)
        folder.finish(summarise(run, rows))
    return path
