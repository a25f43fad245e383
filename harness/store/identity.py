"""What a run is: the hash of everything that decides its outcome, and the code that decided it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import harness

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


def code_version(files: Iterable[Path]) -> str:
    """The package's version and a digest of the source files that turn prompts into tokens.

    An edited decoder therefore starts a run of its own instead of continuing one of the old code. Line ends do not
    count, everything else does.
    """
    return f"{harness.__version__}+{_digest(tuple(sorted(set(files))))}"


@cache
def _digest(files: tuple[Path, ...]) -> str:
    total = hashlib.sha256()
    for file in files:
        total.update(file.name.encode() + b"\0" + file.read_bytes().replace(b"\r\n", b"\n") + b"\0")
    return total.hexdigest()[:12]
