"""What a run is: the hash of everything that decides its outcome."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

# limit, batch size, device and paths are not here: they decide which documents are done and how fast, not the outcome
IDENTITY = (
    "suite",
    "method",
    "task",
    "setting",
    "fidelity",
    "gen_length",
    "context",
    "protocol",
    "protocol_version",
    "protocol_digest",
    "checkpoint_fingerprint",
    "tokenizer_fingerprint",
    "data_fingerprint",
    "seed",
    "dtype",
    "code_version",
)


def run_id(run: Mapping[str, Any]) -> str:
    """Twelve hex digits of the SHA-256 over the IDENTITY keys of a run.json. Raises KeyError if one is missing."""
    text = json.dumps({name: run[name] for name in IDENTITY}, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()[:12]
