"""Decode many requests, with a smaller batch when the memory does not hold the larger one."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from harness.errors import UserError
from harness.runner.spec import REUSE_MB

Decode = Callable[..., Iterator[Any]]
_WORDS = ("out of memory", "can't allocate memory", "not enough memory", "cannot allocate memory")


def out_of_memory(error: BaseException) -> bool:
    """Whether an error of torch or Python says that memory ran out, on an accelerator or on the host."""
    if isinstance(error, MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(word in str(error).lower() for word in _WORDS)


def decode_all(
    backbone: Any,
    requests: Sequence[Any],
    batch_size: int,
    *,
    halved: Callable[[int, int], None],
    decode: Decode | None = None,
    reuse_mb: float = REUSE_MB,
    note: Callable[[str], None] = warnings.warn,
) -> Iterator[Any]:
    """`methods.decoding.decode` over `requests`, in order of completion; `Result.index` is into `requests`.

    When memory runs out, the finished rows stay, the others start again at half the batch size and
    `halved(before, now)` is called. A row's tokens do not depend on the batch, so they are the same.
    reuse_mb, note: see `methods.decoding.decode`.
    Raises UserError when even one row does not fit.
    """
    run = decode or partial(_engine(), reuse_mb=reuse_mb, note=note)
    waiting = list(range(len(requests)))
    while waiting:
        finished: set[int] = set()
        try:
            for result in run(backbone, [requests[index] for index in waiting], batch_size=batch_size):
                finished.add(result.index)
                yield replace(result, index=waiting[result.index])
            return
        except (RuntimeError, MemoryError) as error:
            if not out_of_memory(error):
                raise
            if batch_size == 1:
                raise UserError(
                    "Memory ran out with a single row; use a shorter --set gen_length=N, --dtype bfloat16 or another "
                    "device. Finished samples are kept."
                ) from error
        waiting = [index for place, index in enumerate(waiting) if place not in finished]
        halved(batch_size, batch_size := batch_size // 2)
        _free()


def _engine() -> Decode:
    from methods.decoding import decode

    return decode


def _free() -> None:
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
