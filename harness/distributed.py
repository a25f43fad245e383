"""Data parallel runs under `torchrun` or `accelerate launch`: every process decodes its own share of the documents.

lm-eval shards by `rank` and `world_size` and calls `all_gather`, `gather_object` and `barrier`; its released base
class has single-process answers for all five, which `DataParallel` replaces. Only small host-side values travel,
so the group is gloo on any machine. torch is imported when a group is joined.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from harness.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

Key = TypeVar("Key")
Value = TypeVar("Value")
_LAUNCHED = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")


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

    def barrier(self) -> None:
        """Wait for all ranks."""
        if self.world_size > 1:
            import torch.distributed as dist

            dist.barrier()


def join(timeout_hours: float = 24.0) -> Group:
    """The group that the launcher's environment describes; joined once, left when the process ends.

    The timeout covers the wait of the fastest rank for the slowest. Raises UserError for half an environment.
    """
    if int(os.environ.get("WORLD_SIZE") or 1) <= 1:
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
    return Group(rank, dist.get_world_size(), int(os.environ.get("LOCAL_RANK", rank)))


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
