"""One run's folder: `run.json` first, `samples.jsonl` line by line, `summary.json` last; locked while it is written."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from filelock import Timeout

from harness.errors import BusyError, StoreError
from harness.store.checks import REBUILD, checked_run, checked_summary
from harness.store.files import Appender, dumps, read_json, refusal, sweep, write_atomic, write_json
from harness.store.lock import FolderLock
from harness.store.samples import ordered, read_samples, repair_tail
from harness.store.schema import SCHEMA_VERSION, migrate_run, steps

LOCK_WAIT = 10.0  # seconds that a second process waits before it leaves with a sentence


class RunFolder:
    """A run on disk. Reading needs nothing; writing needs `with folder.open(...)`, which takes the lock."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        if self.path.name in ("", ".."):  # `.`: the run is called after its folder
            self.path = self.path.resolve()
        self._lock = FolderLock(self.path)
        self._samples: Appender | None = None
        self.dropped = 0  # bytes of a torn last line that opening cut off

    @property
    def run_id(self) -> str:
        return self.path.name

    @property
    def finished(self) -> bool:
        """Whether `summary.json` exists: the mark of a finished run."""
        return (self.path / "summary.json").is_file()

    # -- reading ------------------------------------------------------------------------------------------------

    def run(self) -> dict[str, Any]:
        """run.json in the current schema. Raises StoreError naming the file."""
        path = self.path / "run.json"
        return checked_run(migrate_run(read_json(path, finite=True), path), path)

    def schema(self) -> Any:
        """The schema version that the files on disk have."""
        return read_json(self.path / "run.json").get("schema_version")

    def summary(self) -> dict[str, Any] | None:
        """summary.json, or None for an unfinished run. Raises StoreError for a damaged one."""
        if not self.finished:
            return None
        path = self.path / "summary.json"
        return checked_summary(read_json(path, REBUILD.format(self.path)), path)

    def samples(self, *, light: bool = False) -> Iterator[dict[str, Any]]:
        """Every finished sample in the file's order; `light` leaves out prompts, outputs and traces."""
        migrations = steps(read_json(self.path / "run.json"), self.path / "run.json")
        for sample in read_samples(self.path / "samples.jsonl", light=light and not migrations, check=not migrations):
            for step in migrations:
                sample = step.sample(sample)
            yield sample

    def done(self) -> set[int]:
        """The document ids that are stored."""
        return {sample["doc_id"] for sample in self.samples(light=True)}

    # -- writing ------------------------------------------------------------------------------------------------

    def open(self, run: Mapping[str, Any], *, wait: float = LOCK_WAIT) -> RunFolder:
        """Lock the folder and make it ready to append to; a new folder gets its run.json, an old one is migrated.

        A summary from before is removed as soon as a sample is appended, not earlier. Raises BusyError after `wait`
        seconds, StoreError for a folder that is not writable, of a foreign schema, or of another run.
        """
        self._acquire(wait)
        try:
            self._prepare(run)
        except BaseException:
            self.close()
            raise
        return self

    def _acquire(self, wait: float) -> None:
        try:
            self._lock.acquire(wait)
        except Timeout:
            words = f"{self.path} is being written by {self._owner()}; wait for it or stop it."
            raise BusyError(words, self.path) from None
        except OSError as error:
            raise refusal(self.path, error) from error

    def wait_until_free(self) -> None:
        """Return once no process writes this run, however long that takes; nothing is made or changed."""
        self._lock.wait_until_free()

    def _owner(self) -> str:
        try:
            session = self.run()["sessions"][-1]
            return f"another process (probably {session['pid']} on {session['host']})"
        except (StoreError, LookupError, TypeError):
            return "another process"

    def _prepare(self, run: Mapping[str, Any]) -> None:
        path = self.path / "run.json"
        sweep(self.path)
        if not path.exists():
            if (self.path / "samples.jsonl").exists():
                raise StoreError(f"{self.path} has samples but no run.json; move the folder away and run again.")
            write_json(path, {**run, "schema_version": SCHEMA_VERSION})
        stored = read_json(path)
        if stored.get("run_id") != run["run_id"]:
            raise StoreError(f"{path} belongs to the run {stored.get('run_id')!r}; move the folder away.")
        with suppress(FileNotFoundError):
            self.dropped = repair_tail(self.path / "samples.jsonl")
        if steps(stored, path):
            self.rewrite(list(self.samples()))
            write_json(path, migrate_run(stored, path))

    def append(self, sample: Mapping[str, Any]) -> None:
        """Add one finished sample; it survives the death of the process from here on."""
        self._own()
        if self._samples is None:
            self.unfinish()
            self._samples = Appender(self.path / "samples.jsonl")
        self._samples.append(dumps(ordered(dict(sample))))

    def update(self, **changes: Any) -> None:
        """Rewrite run.json with some keys changed (sessions, never what decides the outcome)."""
        self._own()
        write_json(self.path / "run.json", {**self.run(), **changes})

    def rewrite(self, samples: list[dict[str, Any]]) -> None:
        """Replace samples.jsonl atomically: after re-scoring or a migration."""
        self._own()
        self._detach()
        write_atomic(self.path / "samples.jsonl", (dumps(ordered(sample)) + "\n" for sample in samples))

    def unfinish(self) -> None:
        """Remove the summary: it no longer describes the samples that follow."""
        self._own()
        (self.path / "summary.json").unlink(missing_ok=True)

    def sort(self) -> None:
        """Bring samples.jsonl into the order of document ids, so that two equal runs are equal files."""
        self._own()
        self._detach()
        order = [sample["doc_id"] for sample in self.samples(light=True)]
        if order != sorted(order):
            self.rewrite(sorted(self.samples(), key=lambda sample: sample["doc_id"]))

    def finish(self, summary: Mapping[str, Any]) -> None:
        """Write summary.json: from now on the run counts as finished."""
        self._own()
        self._detach()
        write_json(self.path / "summary.json", dict(summary))

    def close(self) -> None:
        """Sync the samples and give the lock back."""
        try:
            self._detach()
        finally:
            self._lock.release()

    def _detach(self) -> None:
        if self._samples is not None:
            self._samples.close()
            self._samples = None

    def _own(self) -> None:
        if not self._lock.held:
            raise RuntimeError(f"{self.path} is not open for writing")

    def __enter__(self) -> RunFolder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def set_aside(self) -> Path | None:
        """Rename an existing folder to `<run_id>.old-N` (for --fresh); returns its new place. Raises BusyError.

        The lock is held while it is renamed, so that no folder goes which another process has just begun to write.
        """
        if not self.path.exists():
            return None
        self._acquire(LOCK_WAIT)
        try:
            if not any(name.name != ".lock" for name in self.path.iterdir()):
                return None  # another --fresh was first, and this is the new folder
            number = 1
            while (target := self.path.with_name(f"{self.path.name}.old-{number}")).exists():
                number += 1
            self.path.rename(target)
        except OSError as error:
            raise refusal(self.path, error) from error
        finally:
            self._lock.release()
        return target
