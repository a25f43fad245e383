"""Real processes that form a group over gloo, as torchrun starts them: forked from a clean one with the imports done.

The server process of `multiprocessing` is young and has one thread, so its forks are safe whatever the tests before
have started; the store of the group lives here, as torchrun's lives in its agent, so that no port has to be guessed.
"""

from __future__ import annotations

import multiprocessing
import os
import re
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import lm_eval.evaluator  # noqa: F401  (the imports that the forks shall inherit)
import torch

import harness.adapter
import harness.runner  # noqa: F401
from harness.distributed import leave

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload([__name__])
GREETING = re.compile(r"^\[Gloo\] Rank .*\n", re.MULTILINE)  # what torch 2.9 prints itself
PATIENCE = 240.0  # seconds until a group that does not end is a failure


class Ended(NamedTuple):
    """How a rank ended: exit code (negative: the signal), what it wrote to its stdout and stderr."""

    code: int
    out: str
    said: str


class Ranks:
    """A group of processes that each do `work(rank, *arguments)`; a context manager that leaves none behind."""

    def __init__(self, count: int, folder: Path, work: Callable[..., None], *arguments: Any) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.store = torch.distributed.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
        room = {"WORLD_SIZE": str(count), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(self.store.port)}
        self.processes = [
            CONTEXT.Process(target=_child, args=(rank, room, str(folder), work, arguments)) for rank in range(count)
        ]
        for process in self.processes:
            process.start()

    def __enter__(self) -> Ranks:
        return self

    def __exit__(self, *error: object) -> None:
        for process in self.processes:
            process.kill()
            process.join()

    def wait(self) -> list[Ended]:
        """Until all have ended."""
        for process in self.processes:
            process.join(PATIENCE)
        return [self._ended(rank) for rank in range(len(self.processes))]

    def until(self, reached: Callable[[], bool]) -> None:
        """Until something is so; all ranks must still be at work then."""
        end = time.monotonic() + PATIENCE
        while not reached():
            alive = all(process.is_alive() for process in self.processes)
            if not alive or time.monotonic() > end:
                raise AssertionError([self._ended(rank) for rank in range(len(self.processes))])
            time.sleep(0.002)

    def _ended(self, rank: int) -> Ended:
        code = self.processes[rank].exitcode
        texts = [GREETING.sub("", (self.folder / f"{name}{rank}").read_text()) for name in ("out", "err")]
        return Ended(-999 if code is None else code, *texts)


def _child(rank: int, room: dict[str, str], folder: str, work: Callable[..., None], arguments: Sequence[Any]) -> None:
    os.environ.update(room, RANK=str(rank), LOCAL_RANK=str(rank), TORCHELASTIC_USE_AGENT_STORE="True")
    os.environ.update(COLUMNS="160", HF_HUB_OFFLINE="1")
    for number, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(f"{folder}/{name}{rank}", os.O_CREAT | os.O_WRONLY | os.O_TRUNC), number)
    sys.stdout, sys.stderr = os.fdopen(1, "w", closefd=False), os.fdopen(2, "w", closefd=False)
    torch.set_num_threads(1)
    code = 0
    try:
        work(rank, *arguments)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0
    except BaseException:
        traceback.print_exc()
        code = 70
    finally:
        leave()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def verb(rank: int, *words: str) -> None:
    """`harness WORDS` with the tests' methods registered."""
    from tests.harness.launch import main

    sys.argv = ["harness", *words]
    main()
