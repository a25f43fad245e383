"""What runs on a Ray worker: one model in memory, groups of runs one after another, every sample forwarded at once."""

from __future__ import annotations

import json
import queue
import shutil
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from harness.sweep.grid import Group, store_of

PREFIX, LOCK = "harness-worker-", ".worker"
Message = tuple[Any, ...]
Stored = dict[str, tuple[dict[str, Any], list[dict[str, Any]], dict[str, Any] | None]]


class Worker:
    """A Ray actor (made remote by `harness.sweep.cluster`). shared: write the specs' own store instead of a local one.

    argv: the driver's command line, which run.json records.
    Messages of `work`, where `place` counts the group's specs: ("run", place, run.json) when a run is open, ("event",
    place, Event), ("sample", place, line) for each finished sample, ("end", place, Outcome, run id, summary.json) when
    a run is over.
    """

    def __init__(self, shared: bool, argv: list[str]) -> None:
        from harness.runner import ModelCache

        sys.argv = argv
        self._shared = shared
        self._models = ModelCache(keep=1)
        sweep_folders()
        self._folder = tempfile.TemporaryDirectory(prefix=PREFIX)
        self._lock = FileLock(Path(self._folder.name) / LOCK)  # says to the next worker that this one lives
        self._lock.acquire()

    def close(self) -> None:
        """Remove the worker's folder: what it held has been sent."""
        self._lock.release()
        self._folder.cleanup()

    def work(self, group: Group, stored: Stored) -> Iterator[Message]:
        """Run a group. stored: by run id the run.json, samples and summary that the driver already has."""
        if not self._shared:
            group = Group(group.checkpoint, tuple(replace(spec, out=self._folder.name) for spec in group.specs))
            self._restore(group, stored)
        messages: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        thread = threading.Thread(target=self._run, args=(group, messages), daemon=True)
        thread.start()
        while (message := messages.get()) is not None:
            yield message
        thread.join()

    def _restore(self, group: Group, stored: Stored) -> None:
        from harness.store import RunFolder

        stores = {spec.method: store_of(spec) for spec in group.specs}
        for run_id, (run, samples, summary) in stored.items():
            with RunFolder(stores[run["method"]] / run_id).open(run) as folder:
                known = folder.done()
                missing = [sample for sample in samples if sample["doc_id"] not in known]
                for sample in missing:
                    folder.append(sample)
                if summary is not None and not folder.finished:
                    folder.finish(summary)

    def _run(self, group: Group, messages: queue.SimpleQueue[Message | None]) -> None:
        from harness.sweep.local import run_group

        try:
            run_group(group, EventForwarder(group, messages, self._shared), self._models)
        finally:
            messages.put(None)


def sweep_folders() -> None:
    """Remove the folders of workers that were killed on this machine; those that live hold a lock in theirs."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with suppress(OSError, Timeout):
            if (folder / LOCK).exists():
                lock = FileLock(folder / LOCK)
                lock.acquire(timeout=0)
                lock.release()
                shutil.rmtree(folder)


class EventForwarder:
    """Takes the progress board's place on a worker: what the runner reports becomes messages to the driver."""

    def __init__(self, group: Group, messages: queue.SimpleQueue[Message | None], shared: bool) -> None:
        self._places = {repr(spec): place for place, spec in enumerate(group.specs)}
        self._messages, self._shared = messages, shared
        self._offsets: dict[int, int] = {}

    def event(self, event: Any) -> None:
        """A run has one more sample: forward the lines that are new in its file."""
        place = self._places[repr(event.spec)]
        if not self._shared:
            self._new_lines(place, store_of(event.spec) / event.run_id)
        self._messages.put(("event", place, event))

    def ends(self, outcome: Any) -> None:
        """A run is over. Its lines were forwarded with its events, unless nothing had to be decoded."""
        place = self._places[repr(outcome.spec)]
        summary = None
        if outcome.folder is not None and not self._shared:
            if place not in self._offsets:
                self._new_lines(place, outcome.folder.path)
            summary = outcome.folder.summary()
        self._messages.put(("end", place, replace(outcome, folder=None, cause=None), outcome.run_id, summary))

    def _new_lines(self, place: int, path: Path) -> None:
        from harness.store import RunFolder

        if place not in self._offsets:
            self._offsets[place] = 0
            self._messages.put(("run", place, RunFolder(path).run()))
        samples = path / "samples.jsonl"
        if not samples.exists():
            return
        with open(samples, "rb") as file:
            file.seek(self._offsets[place])
            for line in file:
                self._messages.put(("sample", place, json.loads(line)))
            self._offsets[place] = file.tell()
