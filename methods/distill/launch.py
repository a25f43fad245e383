"""How a training is launched: its processes, its number formats, its trackers, and transformers' arguments."""

from __future__ import annotations

import os
from pathlib import Path

import torch
from transformers import TrainingArguments
from transformers.integrations.integration_utils import (
    is_tensorboard_available,
    is_trackio_available,
    is_wandb_available,
)

from methods.distill.recipe import Common
from methods.errors import MethodsError, MethodsUsageError, unknown

# tracker -> whether it is installed
TRACKERS = {"tensorboard": is_tensorboard_available, "trackio": is_trackio_available, "wandb": is_wandb_available}


def fast_bf16(device: str) -> bool:
    """Whether this hardware multiplies bfloat16 faster than float32: a CUDA device, or a CPU with AMX tiles."""
    if device != "cpu":
        return True
    probe = getattr(torch.cpu, "_is_amx_tile_supported", None)
    return bool(probe and probe())


def world() -> int:
    """Number of processes of this run, from the launcher."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def rank() -> int:
    """This process's rank, from the launcher."""
    return int(os.environ.get("RANK", "0"))


def check_trackers(names: tuple[str, ...]) -> None:
    """Raises MethodsUsageError for a tracker that is not known, MethodsError for one that is not installed."""
    for name in names:
        if name != "none" and name not in TRACKERS:
            raise unknown("tracker", name, ("none", *TRACKERS))
        if name != "none" and not TRACKERS[name]():
            raise MethodsError(f"The tracker {name} is not installed; pip install {name}, or pass --report-to none.")


def accumulation(common: Common, processes: int) -> tuple[int, int]:
    """(examples per device and forward pass, forward passes per step).

    Raises MethodsUsageError if the batch does not divide.
    """
    micro = min(common.micro_batch, max(1, common.batch // processes))
    if common.batch % (micro * processes):
        raise MethodsUsageError(
            f"batch={common.batch} is not a multiple of micro_batch={micro} times {processes} processes; change one."
        )
    return micro, common.batch // (micro * processes)


def arguments(
    common: Common, folder: Path, *, steps: int, device: str, report_to: tuple[str, ...], name: str
) -> TrainingArguments:
    """transformers' arguments of a run; sharding comes from `accelerate launch --config_file`."""
    micro, accumulate = accumulation(common, world())
    half = common.precision == "bf16" or (common.precision == "auto" and fast_bf16(device))
    return TrainingArguments(
        output_dir=str(folder),
        per_device_train_batch_size=micro,
        gradient_accumulation_steps=accumulate,
        max_steps=steps,
        learning_rate=common.lr,
        lr_scheduler_type=common.scheduler,
        warmup_steps=round(common.warmup * steps),
        optim=common.optimizer,
        weight_decay=common.weight_decay,
        adam_beta1=common.beta1,
        adam_beta2=common.beta2,
        max_grad_norm=common.clip,
        bf16=half,
        use_cpu=device == "cpu",
        logging_steps=common.log_every,
        logging_first_step=True,
        logging_nan_inf_filter=False,
        save_steps=common.save_every or steps,
        save_total_limit=2,
        seed=common.seed,
        report_to=list(report_to),
        run_name=name,
        remove_unused_columns=False,
        label_names=[],
        dataloader_pin_memory=device != "cpu",
        ddp_find_unused_parameters=False,
        ddp_backend="gloo" if device == "cpu" and world() > 1 else None,
        disable_tqdm=True,
        skip_memory_metrics=True,
        average_tokens_across_devices=False,
        log_level="error",
    )
