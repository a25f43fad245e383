"""One training run from trajectories to an exported model: checks, estimate, training (or resuming), export."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from transformers import TrainingArguments

from methods.backbones import Backbone
from methods.distill import folder, model_card
from methods.distill.checkpoints import COMPLETE, drop_torn, last_good
from methods.distill.dataset import TrainingDataset
from methods.distill.distiller import Distiller
from methods.distill.job import Job, estimate, export_of, plan, run_key
from methods.distill.launch import arguments, check_trackers, rank
from methods.distill.manifest import manifest_of
from methods.distill.memory import sentence
from methods.distill.student import checkpointing, trainable, unshard
from methods.distill.trainer import DistillTrainer
from methods.distill.trajectory import Trajectory
from methods.errors import MethodsError


def train(job: Job, backbone: Backbone, trajectories: Sequence[Trajectory]) -> dict[str, Any]:
    """Train, resuming a killed run of the same job; returns the manifest, which is in `job.out` with the model.

    Raises MethodsError for bad trajectories, an unknown tracker, another run in `job.out` (unless `job` says to
    replace it), or a loss that is not finite.
    """
    check_trackers(job.report_to)
    dataset = plan(job, backbone, trajectories)
    key, export = run_key(job, backbone, trajectories, dataset.steps), export_of(job, backbone)
    inside = folder.obstacle(job.out, key, export)
    if inside and not (job.fresh or job.replace):
        raise MethodsError(f"{inside}, choose another --out, or pass --replace to throw it away.")
    done = None if inside or job.fresh else folder.finished(job.out, key)
    if done is not None:
        return done
    args = _arguments(job, backbone, dataset)
    _together(args, lambda: folder.begin(job.out, key, clear=job.fresh or bool(inside)))
    student, teacher = trainable(backbone, job.recipe)
    if rank() == 0:
        print(sentence(estimate(job, student, teacher, dataset), teacher is not None), file=sys.stderr)
    trainer, seconds = _run(job, backbone, dataset, student, teacher, args)
    manifest = manifest_of(job, backbone, dataset, key, trainer, seconds) | {"export": export}
    unshard(student)
    if trainer.is_world_process_zero():
        model_card.export(backbone, student, job.recipe, job.out, manifest, dtype=job.dtype, merge=job.merge)
        _tidy(job.out, trainer.state.log_history)
    trainer.accelerator.wait_for_everyone()
    return manifest


def _arguments(job: Job, backbone: Backbone, dataset: TrainingDataset) -> TrainingArguments:
    return arguments(
        job.recipe.common,
        job.out / folder.WORK,
        steps=dataset.steps,
        device=backbone.device.type,
        report_to=job.report_to,
        name=f"{job.recipe.name}-{job.out.name}",
    )


def _together(args: TrainingArguments, act: Callable[[], object]) -> None:
    """Run `act` in one process, after all of them have inspected the folder and before any continues."""
    args.distributed_state.wait_for_everyone()
    if rank() == 0:
        act()
    args.distributed_state.wait_for_everyone()


def _run(
    job: Job, backbone: Backbone, dataset: TrainingDataset, student: Any, teacher: Any, args: TrainingArguments
) -> tuple[DistillTrainer, tuple[float, float]]:
    common, work = job.recipe.common, job.out / folder.WORK
    if common.checkpointing:
        checkpointing(student)
    module = Distiller(student, dataset.objective, shift=backbone.shift, causal=backbone.causal, teacher=teacher)
    trainer = DistillTrainer(module, args, dataset, backbone.special.pad, logs=job.out / "runs")
    start = last_good(work)
    if trainer.is_world_process_zero():
        drop_torn(work)
    trainer.accelerator.wait_for_everyone()
    if start is not None:
        trainer.watch.before = tuple(json.loads((start / COMPLETE).read_text())["spent"])
    trainer.train(resume_from_checkpoint=str(start) if start else None)
    spent = trainer.watch.spent()
    trainer.count_flops()
    student.eval()
    if common.tuning == "full":
        backbone.model.requires_grad_(False)
    return trainer, spent


def _tidy(out: Path, history: list[dict[str, Any]]) -> None:
    """Keep the loss curve, drop optimiser states."""
    (out / "log.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in history), encoding="utf-8")
    shutil.rmtree(out / folder.WORK)
