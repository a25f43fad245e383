"""Weights sharded by FSDP 2 over two processes are exported as those of one process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from safetensors.torch import load_file

from methods.distill import distiller, model_card, recipe
from methods.distill.student import trainable, unshard
from tests.distill import tiny

torch.set_num_threads(1)
TUNINGS: dict[str, dict[str, Any]] = {"full": {"tuning": "full"}, "lora": {"tuning": "lora", "rank": 2, "alpha": 2}}


def student_of(tuning: str) -> tuple[Any, Any, recipe.Recipe]:
    """(backbone, student, recipe), the adapter's second factor no longer zero."""
    loaded = recipe.load("dparallel", "mini").with_values(TUNINGS[tuning])
    backbone = tiny.backbone()
    student, _ = trainable(backbone, loaded)
    generator = torch.Generator().manual_seed(1)
    for name, weight in student.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, generator=generator)
    return backbone, student, loaded


def export(backbone: Any, student: Any, loaded: recipe.Recipe, out: Path) -> None:
    manifest = {"made": "by a test"}
    model_card.export(backbone, student, loaded, out, manifest, dtype=None, merge=True)


def sharded(rank: int, folder: str, tuning: str) -> None:
    """One process: shard, one forward and backward as in a training, gather; the first one exports."""
    from torch.distributed.fsdp import fully_shard

    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    mesh = dist.init_device_mesh("cpu", (2,))
    backbone, student, loaded = student_of(tuning)
    module = distiller.Distiller(student, None, shift=0, causal=False)  # type: ignore[arg-type]
    module.forward = lambda ids: module.head(module.hidden(ids))  # type: ignore[assignment, method-assign]
    for layer in distiller.base_of(student).model.layers:
        fully_shard(layer, mesh=mesh)
    fully_shard(module, mesh=mesh)
    module(torch.arange(8)[None]).sum().backward()
    module(torch.arange(8)[None])  # leaves the root's weights whole for the moment
    unshard(student)
    if rank == 0:
        export(backbone, student, loaded, Path(folder) / "two")
    dist.barrier()
    dist.destroy_process_group()


@pytest.mark.parametrize("tuning", sorted(TUNINGS))
def test_two_processes_export_what_one_does(tmp_path: Path, tuning: str) -> None:
    export(*student_of(tuning), tmp_path / "one")
    # forked: each process is spared the imports
    mp.start_processes(sharded, (str(tmp_path), tuning), nprocs=2, start_method="fork")  # type: ignore[no-untyped-call]
    files = ["model.safetensors", "adapter/adapter_model.safetensors"][: 1 + (tuning == "lora")]
    for file in files:
        one, two = (load_file(str(tmp_path / name / file)) for name in ("one", "two"))
        assert one.keys() == two.keys()
        assert all(torch.equal(one[key], two[key]) for key in one)
