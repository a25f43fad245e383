"""Data parallel runs under `torchrun` or `accelerate launch`: every process decodes its own share of the documents.

lm-eval shards by `rank` and `world_size` and calls `all_gather`, `gather_object` and `barrier`; its released base
class has single-process answers for all five, which `DataParallel` replaces. `harness run` has one meeting point more,
`Group.agree`, where ranks that failed and ranks that did not find each other. Only small host-side values travel, so
the group is gloo on any machine. torch is imported when a group is joined.
"""

from __future__ import annotations

import atexit
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from harness.errors import UserError, describe_error

if TYPE_CHECKING:
    from torch import Tensor

Key = TypeVar("Key")
Value = TypeVar("Value")
_LAUNCHED = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
_POLL = 0.1  # seconds between two looks at whether the others have come


class AgreedError(Exception):
    """A failure that every rank has heard of. exit_code: that of the first rank that failed, None for a bug there."""

    def __init__(self, sentence: str, exit_code: int | None) -> None:
        super().__init__(sentence)
        self.exit_code = exit_code


class LostError(UserError):
    """Another process of the group has died."""

    def __init__(self) -> None:
        super().__init__(
            "Another process of this run has died (see the launcher's output). Finished samples are kept; the same "
            "command continues with the rest."
        )


class Terminated(KeyboardInterrupt):
    """SIGTERM, which a launcher sends to the others when one of its processes has died."""


@dataclass(frozen=True)
class Group:
    """This process among its siblings; a group of one needs no launcher and no torch.distributed."""

    rank: int = 0
    world_size: int = 1
    local_rank: int = 0

    def device(self, asked: str) -> str:
        """The device of this process: `auto` and `cuda` become `cuda:LOCAL_RANK` where there is CUDA."""
        import torch

        if self.world_size > 1 and asked in ("auto", "cuda") and torch.cuda.is_available():
            return f"cuda:{self.local_rank % torch.cuda.device_count()}"
        return asked

    def all_gather(self, tensor: Tensor) -> Tensor:
        """The tensors of all ranks, concatenated along the first dimension (a scalar counts as one element)."""
        import torch
        import torch.distributed as dist

        mine = tensor.detach().cpu().reshape(-1) if tensor.dim() == 0 else tensor.detach().cpu()
        if self.world_size == 1:
            return mine
        parts = [torch.empty_like(mine) for _ in range(self.world_size)]
        dist.all_gather(parts, mine.contiguous())
        return torch.cat(parts)

    def gather_object(self, value: Any, dst: int = 0) -> list[Any] | None:
        """The values of all ranks as a list on rank `dst`, None elsewhere."""
        if self.world_size == 1:
            return [value]
        import torch.distributed as dist

        found: list[Any] | None = [None] * self.world_size if self.rank == dst else None
        dist.gather_object(value, found, dst=dst)
        return found

    def union(self, mine: Mapping[Key, Value]) -> dict[Key, Value]:
        """The mappings of all ranks as one, on every rank; a key that several have is kept once, the lowest rank's.

        lm-eval evens out ranks by repeating a request, so counts are keyed by (task, document), never added up blindly.
        """
        if self.world_size == 1:
            return dict(mine)
        import torch.distributed as dist

        parts: list[Any] = [None] * self.world_size
        dist.all_gather_object(parts, dict(mine))
        return {key: value for part in reversed(parts) for key, value in part.items()}

    def agree(
        self, value: Any = None, error: BaseException | None = None, meanwhile: Callable[[], None] | None = None
    ) -> list[Any]:
        """The values of all ranks, on every rank; or, if any rank came with an `error`, AgreedError on every rank.

        All calls of it are alike, so a rank that failed meets the others wherever they come next. The sentence is
        that of the first rank that failed; `meanwhile` is called again and again while others are waited for. In a
        group of one an error is raised as it is. Raises LostError when a rank has died.
        """
        if self.world_size == 1:
            if error is not None:
                raise error
            return [value]
        found = self._meet((_failure(error), value), meanwhile)
        for rank, (failure, _) in enumerate(found):
            if failure is not None:
                where = "" if rank == self.rank else f"Process {rank} on {failure[2]}: "
                raise AgreedError(where + failure[0], failure[1]) from error
        return [value for _, value in found]

    def _meet(self, mine: Any, meanwhile: Callable[[], None] | None) -> list[Any]:
        import torch.distributed as dist

        found: list[Any] = [None] * self.world_size
        try:
            coming = dist.barrier(async_op=True)
        except RuntimeError as error:
            raise LostError from error
        while not coming.is_completed():
            if meanwhile is not None:
                meanwhile()
            time.sleep(_POLL)
        try:
            coming.wait()
            dist.all_gather_object(found, mine)
        except RuntimeError as error:  # what gloo raises for a closed connection
            raise LostError from error
        return found

    def attempt(self, work: Callable[[], Value]) -> Value:
        """What `work()` gives here, once it has succeeded on every rank; AgreedError on all if it failed on one."""
        if self.world_size == 1:
            return work()
        try:
            done = work()
        except Exception as error:
            self.agree(error=error)
            raise
        self.agree()
        return done

    def barrier(self) -> None:
        """Wait for all ranks."""
        if self.world_size > 1:
            import torch.distributed as dist

            dist.barrier()


def _failure(error: BaseException | None) -> tuple[str, int | None, str] | None:
    """What the other ranks learn about an error: sentence (a traceback for a bug), exit code, host."""
    if error is None:
        return None
    code = getattr(error, "exit_code", None)
    return describe_error(error), code if isinstance(code, int) else None, socket.gethostname()


def _launched(name: str, default: int) -> int:
    """A number that a launcher has put into the environment. Raises UserError for what is none."""
    text = os.environ.get(name) or str(default)
    try:
        return int(text)
    except ValueError:
        raise UserError(f"{name} is {text!r} in the environment, not a number; unset it, or use torchrun.") from None


def join(timeout_hours: float = 24.0) -> Group:
    """The group that the launcher's environment describes; joined once, left when the process ends.

    The timeout covers the wait of the fastest rank for the slowest. Raises UserError for half an environment.
    """
    if _launched("WORLD_SIZE", 1) <= 1:
        return Group()
    missing = [name for name in _LAUNCHED if not os.environ.get(name)]
    if missing:
        raise UserError(
            f"WORLD_SIZE is {os.environ['WORLD_SIZE']} but {', '.join(missing)} not set: start several processes "
            "with torchrun --nproc_per_node N or accelerate launch, or unset WORLD_SIZE."
        )
    import torch.distributed as dist

    if not dist.is_initialized():
        dist.init_process_group("gloo", timeout=timedelta(hours=timeout_hours))
        atexit.register(leave)
    rank = dist.get_rank()
    return Group(rank, dist.get_world_size(), _launched("LOCAL_RANK", rank))


def alone() -> Group:
    """A group of one. Raises UserError in a process that a launcher has started with siblings."""
    if _launched("WORLD_SIZE", 1) > 1:
        raise UserError(
            f"WORLD_SIZE is {os.environ['WORLD_SIZE']}, but of the verbs that decode only `harness run` shares its "
            "samples among processes; start this one once (a sweep has --shard i/n and --executor ray)."
        )
    return Group()


@contextmanager
def only_first_rank_prints() -> Iterator[None]:
    """In a group, discard what ranks after the first print, and end them quietly when they fail.

    What concerns all was agreed on and is printed by the first rank, which has the exit code as well: a launcher stops
    every process as soon as one exits with a code other than 0, perhaps before the first rank has printed anything.
    On the first rank SIGTERM raises Terminated here. In a group of one nothing changes.
    """
    if _launched("WORLD_SIZE", 1) <= 1:
        yield
    elif _launched("RANK", 0) == 0:
        before = signal.signal(signal.SIGTERM, _terminated)
        try:
            yield
        finally:
            signal.signal(signal.SIGTERM, before)
    else:
        with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
            try:
                yield
            except (AgreedError, LostError, KeyboardInterrupt):
                sys.exit(0)


def _terminated(number: int, frame: object) -> None:
    raise Terminated(
        "stopped by SIGTERM: another process of this run has died (see the launcher's output), or the job was ended. "
        "Finished samples are kept."
    )


def leave() -> None:
    """Leave the group, if one was joined: without it torch warns, and a late sibling may see a broken socket."""
    import torch.distributed as dist

    if dist.is_initialized():
        dist.destroy_process_group()


class DataParallel:
    """Mixin before lm-eval's LM class: `class DllmLM(DataParallel, TemplateLM)`, with `self.group = join()`."""

    group: Group = Group()

    @property
    def rank(self) -> int:
        """Index of this process."""
        return self.group.rank

    @property
    def world_size(self) -> int:
        """Number of processes."""
        return self.group.world_size

    def all_gather(self, tensor: Tensor) -> Tensor:
        """Tensors of all ranks, concatenated."""
        return self.group.all_gather(tensor)

    def gather_object(self, obj: Any, dst: int = 0) -> list[Any] | None:
        """Objects of all ranks on rank `dst`."""
        return self.group.gather_object(obj, dst)

    def barrier(self) -> None:
        """Wait for all ranks."""
        self.group.barrier()
