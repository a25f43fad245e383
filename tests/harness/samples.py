"""Lines and run.json files in the real shape, for the tests of the store and the metrics."""

from __future__ import annotations

from typing import Any

from harness.store.identity import run_id
from harness.store.samples import ordered


def make_run(**changes: Any) -> dict[str, Any]:
    """A run.json; `changes` override its keys."""
    run: dict[str, Any] = {
        "suite": "mini",
        "method": "tad_speed",
        "task": "gsm8k",
        "setting": {"threshold": 0.5},
        "axis": "threshold",
        "axis_value": 0.5,
        "fidelity": "fixed",
        "gen_length": 64,
        "context": 1024,
        "protocol": "mini/gsm8k",
        "protocol_version": 1,
        "protocol_digest": "abc",
        "metric": "exact_match",
        "checkpoint": "package:mini/tad_speed",
        "checkpoint_fingerprint": "f00",
        "tokenizer_fingerprint": "70c",
        "data": {"kind": "mini", "path": None, "revision": None},
        "data_fingerprint": "da7a",
        "seed": 0,
        "dtype": "float32",
        "code_version": "0.1.0+0",
        "started": "2026-01-01T00:00:00+00:00",
        "sessions": [{"pid": 1, "host": "here", "batch_size": 4, "device": "cpu"}],
    } | changes
    return {**run, "run_id": run_id(run)}


def make_sample(doc_id: int, **changes: Any) -> dict[str, Any]:
    """A line of samples.jsonl; `changes` override its keys."""
    sample: dict[str, Any] = {
        "doc_id": doc_id,
        "task": "gsm8k",
        "prompt_hash": f"{doc_id:016x}",
        "prompt": f"Question: {doc_id} apples?\nAnswer:",
        "prompt_tokens": 20,
        "output_ids": [5, 6, 7, 1],
        "pieces": [" é", "#", "#", "<eos>"],
        "text": " é##",
        "extracted": "4",
        "outcome": "correct" if doc_id % 2 else "wrong",
        "correct": doc_id % 2,
        "strict": doc_id % 2,
        "flexible": doc_id % 2,
        "stop_reason": "eos",
        "forwards": {"prefill": 1, "denoise": 2 + doc_id % 3, "refresh": 0, "draft": 5},
        "nfe": 3 + doc_id % 3,
        "positions": 100,
        "tokens": 3,
        "tokens_compat": {"d3llm": 3, "tad": 4},
        "revisions": 0,
        "truncated": False,
        "seconds": 0.25,
        "trace": [1, 1, 2, 2],
        "detail": "",
    } | changes
    return ordered(sample)
