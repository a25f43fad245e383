"""Scores finished rows: at once, or beside the decoding where generated code has to be executed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any

Finish = Callable[[], Any]


class Scorer:
    """Runs `finish` functions and gives their values back as they are ready.

    background: in threads (the work is a sandboxed child process), a few at a time; otherwise in the call itself.
    """

    def __init__(self, background: bool) -> None:
        self._pool = ThreadPoolExecutor(max(1, os.cpu_count() or 1)) if background else None
        self._pending: set[Future[Any]] = set()

    def submit(self, finish: Finish) -> Iterator[Any]:
        """Start one and yield what is ready."""
        if self._pool is None:
            yield finish()
            return
        self._pending.add(self._pool.submit(finish))
        yield from self._ready(0)

    def drain(self) -> Iterator[Any]:
        """Yield everything that is still being worked on."""
        while self._pending:
            yield from self._ready(None)

    def _ready(self, timeout: float | None) -> Iterator[Any]:
        done, self._pending = wait(self._pending, timeout, FIRST_COMPLETED)
        for future in done:
            yield future.result()

    def close(self) -> None:
        """Forget what is waiting; nothing is left running when this returns."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
