"""Work shared between forked processes, for functions that cannot be pickled (POSIX only)."""

from __future__ import annotations

import os
import pickle
import tempfile
import traceback
from collections.abc import Callable, Sequence
from typing import IO, Any, TypeVar, cast

from reports.errors import ReportError

Share = TypeVar("Share")
Item = TypeVar("Item")


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def fork_map(work: Callable[[Share], list[Item]], shares: Sequence[Share]) -> list[Item]:
    """`work` on every share, the first in this process and each other in a fork; their lists, one after the other.

    Raises ReportError with the child's traceback when a fork fails.
    """
    children = [(_start(work, share), share) for share in shares[1:]]
    found = list(work(shares[0])) if shares else []
    for (pid, file), _ in children:
        _, status = os.waitpid(pid, 0)
        file.seek(0)
        good, value = pickle.load(file) if os.fstat(file.fileno()).st_size else (False, f"exit status {status}")
        file.close()
        if not good:
            raise ReportError(f"A drawing process failed: {value}")
        found += cast(list[Item], value)
    return found


def _start(work: Callable[[Share], list[Item]], share: Share) -> tuple[int, IO[bytes]]:
    file = tempfile.TemporaryFile()  # noqa: SIM115  (the parent closes it when it has read it)
    pid = os.fork()
    if pid:
        return pid, file
    result: tuple[bool, Any]
    try:
        result = True, list(work(share))
    except BaseException:
        result = False, traceback.format_exc()
    try:
        pickle.dump(result, file)
        file.flush()
    finally:
        os._exit(0)
