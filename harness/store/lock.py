"""The lock of a run folder, which survives that `--fresh` renames the folder while others wait for it."""

from __future__ import annotations

import time
from pathlib import Path

from filelock import FileLock, Timeout

GRACE = 10.0  # seconds beyond the wait in which a folder that is renamed again and again may come to rest


class FolderLock:
    """`flock` on PATH/.lock; it dies with its process. Errors of the file system pass through as OSError."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.file = folder, folder / ".lock"
        self._lock = FileLock(self.file)

    @property
    def held(self) -> bool:
        """Whether this object holds the lock."""
        return self._lock.is_locked

    def acquire(self, wait: float) -> None:
        """Lock the folder that has this name now, made if it is missing. Raises filelock's Timeout after `wait` s."""
        until = time.monotonic() + wait
        while not self._try(max(0.0, until - time.monotonic())):
            if time.monotonic() > until + GRACE:
                raise Timeout(str(self.file))

    def _try(self, wait: float) -> bool:
        """Whether the lock was taken and is still that of the folder with this name."""
        self.folder.mkdir(parents=True, exist_ok=True)
        before = _inode(self.file)
        try:
            self._lock.acquire(timeout=wait)
        except FileNotFoundError:  # renamed just now
            if self.folder.is_dir():
                raise
            return False
        if before is not None and _inode(self.file) == before:
            return True
        self._lock.release()
        return False

    def release(self) -> None:
        """Give the lock back; a second call does nothing."""
        self._lock.release()

    def wait_until_free(self) -> None:
        """Return once nobody holds the lock; a folder that is not there is free."""
        if self.file.exists():
            self._lock.acquire(timeout=-1, poll_interval=0.5)
            self._lock.release()


def _inode(file: Path) -> tuple[int, int] | None:
    """What tells a file from another one that has its name later; None where there is none."""
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
