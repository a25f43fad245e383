"""The manifest of a training: what was trained on what, with which settings, where, and how fast."""

from __future__ import annotations

import statistics
from dataclasses import asdict
from typing import Any

from methods.backbones import Backbone
from methods.distill.dataset import TrainingDataset
from methods.distill.job import Job
from methods.distill.launch import world
from methods.distill.rate import matmul_rate
from methods.distill.trainer import DistillTrainer


def manifest_of(
    job: Job,
    backbone: Backbone,
    dataset: TrainingDataset,
    key: dict[str, Any],
    trainer: DistillTrainer,
    seconds: tuple[float, float],
) -> dict[str, Any]:
    losses = [entry for entry in trainer.state.log_history if "loss" in entry]
    recipe = job.recipe
    return {
        "recipe": recipe.name,
        "title": recipe.title,
        "source": recipe.source,
        "variant": recipe.variant,
        "seed": recipe.common.seed,
        "steps": dataset.steps,
        "loss": losses[-1]["loss"] if losses else float("nan"),
        "base": {"source": job.source, "fingerprint": backbone.fingerprint, "license": job.note.get("license")},
        "data": {
            "kind": recipe.common.data,
            "rows": len(dataset.trajectories),
            "examples_per_epoch": dataset.per_epoch,
            "fingerprint": key["data"],
        }
        | job.note.get("data", {}),
        "settings": key["settings"],
        "differs": {name: asdict(one) for name, one in recipe.differs.items()},
        "command": job.command,
        "commit": job.note.get("commit"),
        "seconds": round(seconds[0], 1),
        "cpu_seconds": round(seconds[1], 1),
        **_speed(trainer),
        "processes": world(),
        "hardware": job.note.get("hardware", {}),
        "versions": job.note.get("versions", {}),
        "results": {},
        "key": key,
    }


def _speed(trainer: DistillTrainer) -> dict[str, float | None]:
    """Canvas tokens per second (median of the log), what they cost, and the machine's matmul rate beside it."""
    rates = [entry["tokens_per_second"] for entry in trainer.state.log_history if "tokens_per_second" in entry]
    tokens = statistics.median(rates) if rates else None
    return {
        "tokens_per_second": tokens and round(tokens),
        "gflop_per_second": round(tokens * trainer.flops / 1e9, 3) if tokens and trainer.flops else None,
        "matmul_gflop_per_second": matmul_rate(trainer.args.bf16, str(trainer.args.device)),
    }
