"""The version of the run files, and how older ones are read.

`MIGRATIONS[v]` turns the three files of version v into version v + 1; reading an old folder applies them in memory,
`RunFolder.open` writes the result back once the lock is held.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import StoreError

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Migration:
    """One step: how `run.json` and one line of `samples.jsonl` change. The summary is rebuilt, never migrated."""

    run: Callable[[dict[str, Any]], dict[str, Any]]
    sample: Callable[[dict[str, Any]], dict[str, Any]]


MIGRATIONS: dict[int, Migration] = {}


def steps(run: dict[str, Any], path: Path) -> list[Migration]:
    """The migrations that bring a run.json up to SCHEMA_VERSION, none if it is current.

    Raises StoreError for a newer schema, a missing version, or an old one without a path.
    """
    version = run.get("schema_version")
    if not isinstance(version, int) or version < 0:
        raise StoreError(f"{path} has no schema_version: it is not a run of this harness. Move the folder away.")
    if version > SCHEMA_VERSION:
        raise StoreError(
            f"{path} has schema version {version}, this harness reads up to {SCHEMA_VERSION}: install a newer "
            "dllm-harness, or give another --out."
        )
    missing = [v for v in range(version, SCHEMA_VERSION) if v not in MIGRATIONS]
    if missing:
        raise StoreError(f"{path} has schema version {version}, which can no longer be migrated. Run it again.")
    return [MIGRATIONS[v] for v in range(version, SCHEMA_VERSION)]


def migrate_run(run: dict[str, Any], path: Path) -> dict[str, Any]:
    """`run` (the content of run.json) in the current schema."""
    for step in steps(run, path):
        run = step.run(run)
    return {**run, "schema_version": SCHEMA_VERSION}
