"""Stores of several machines become one: whole runs are copied, halves of one run are united."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from harness.errors import StoreError
from harness.store.find import find_runs
from harness.store.folder import RunFolder
from harness.store.sessions import counted, united

# what two machines may differ in for one document of one run
_MACHINE = ("seconds", "forwards_run", "positions_run")


class Merged(NamedTuple):
    """How many runs were new in the target, and how many samples were added to it."""

    runs: int
    samples: int


def merge(sources: str | os.PathLike[str] | Iterable[str | os.PathLike[str]], into: str | os.PathLike[str]) -> Merged:
    """Add every run of `sources` to the store `into`; running it again adds nothing.

    A document that both have stays as it is in `into`. Raises StoreError, before that run is touched, if the two
    disagree about it: the same run cannot have two outcomes; and before anything is written for a source whose run.json
    is damaged or holds a name that is none. A half that is added brings its sessions along.
    A run's summary is copied where it still describes all its samples; otherwise `harness score RUN` writes it again.
    """
    target = Path(into)
    total = Merged(0, 0)
    found = [(source, source.run()) for source in find_runs(sources)]  # all can be read before anything is written
    for source, run in found:
        folder = RunFolder(target / run["suite"] / run["method"] / run["task"] / run["run_id"])
        if folder.path.resolve() == source.path.resolve():
            continue
        more = _unite(source, folder, run)
        total = Merged(total.runs + more.runs, total.samples + more.samples)
    return total


def _unite(source: RunFolder, folder: RunFolder, run: dict[str, Any]) -> Merged:
    new = not (folder.path / "run.json").exists()
    with folder.open(run):
        stored = {sample["doc_id"]: sample for sample in folder.samples()}
        missing, both = [], 0
        for sample in source.samples():
            if (old := stored.get(sample["doc_id"])) is None:
                missing.append(sample)
                continue
            both += 1
            if _outcome(old) != _outcome(sample):
                raise StoreError(
                    f"{source.path} and {folder.path} disagree about document {sample['doc_id']}; nothing was merged "
                    "there. `harness run --verify` shows which of the two this machine repeats."
                )
        for sample in missing:
            folder.append(sample)
        folder.sort()
        if missing and not new:  # a new run.json is the source's own
            ours = counted(folder.run().get("sessions") or [], len(stored))
            folder.update(sessions=united(ours, counted(run.get("sessions") or [], both + len(missing))))
        summary = source.summary()
        if summary is not None and not folder.finished and summary["n_samples"] == len(stored) + len(missing):
            folder.finish(summary)
    return Merged(int(new), len(missing))


def _outcome(sample: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in sample.items() if name not in _MACHINE}
