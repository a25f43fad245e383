"""What a training run would do, without doing it: data, steps, memory, the first examples as text, the first loss."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from methods.backbones import Backbone
from methods.distill.dataset import TrainingDataset, collate
from methods.distill.distiller import Distiller
from methods.distill.job import Job, estimate, plan
from methods.distill.student import trainable
from methods.distill.trajectory import Trajectory


def first_batch(dataset: TrainingDataset, backbone: Backbone, rows: int = 2) -> list[dict[str, str]]:
    """The first examples of a run as text, masks shown as `_`; for --dry-run."""
    shown = []
    for number in range(min(rows, len(dataset))):
        item, draw = dataset[number], dataset.draw(number)
        example = {"row": draw.trajectory.id, "example": str(draw.pick)}
        for name in ("input", "input_rev", "teacher"):
            if name in item:
                example[name] = decoded(item[name].tolist(), backbone, dataset.objective.tokens.mask)
        for name in ("masked", "masked_rev", "near", "distant"):
            if name in item:
                example[f"{name} tokens"] = str(int(item[name].sum()))
        shown.append(example)
    return shown


def decoded(ids: list[int], backbone: Backbone, mask: int) -> str:
    """Ids as text, `_` for a mask; the ids themselves without a tokenizer."""
    if backbone.tokenizer is None:
        return " ".join("_" if token == mask else str(token) for token in ids)
    pieces: list[str] = []
    run: list[int] = []
    for token in [*ids, mask]:
        if token != mask:
            run.append(token)
            continue
        pieces.append(backbone.tokenizer.decode(run) if run else "")
        pieces.append("_")
        run = []
    return "".join(pieces[:-1])


def describe(job: Job, backbone: Backbone, trajectories: Sequence[Trajectory]) -> dict[str, Any]:
    """What `train` would do: data, steps, memory, first batch as text and its loss. Writes nothing."""
    dataset = plan(job, backbone, trajectories)
    student, teacher = trainable(backbone, job.recipe)
    common = job.recipe.common
    lengths = sorted(one.length for one in trajectories)
    return {
        "run": {
            "recipe": f"{job.recipe.title} ({job.recipe.variant}), {job.recipe.source}",
            "rows": len(trajectories),
            "canvas tokens": f"{lengths[0]} to {lengths[-1]}, median {lengths[len(lengths) // 2]}",
            "examples per epoch": dataset.per_epoch,
            "steps": dataset.steps,
            "epochs": round(dataset.steps * common.batch / dataset.per_epoch, 2),
            "batch": f"{common.batch} = {dataset.micro} x {common.batch // dataset.micro}",
            "trained weights": sum(p.numel() for p in student.parameters() if p.requires_grad),
            "teacher": "frozen copy" if teacher is not None else "adapter off" if job.recipe.needs_teacher else "none",
            **{f"released {name}": f"{one.released} ({one.reason})" for name, one in job.recipe.differs.items()},
            "loss before training": round(first_loss(dataset, backbone, student, teacher), 4),
        },
        "memory": estimate(job, student, teacher, dataset).rows(),
        "first_batch": first_batch(dataset, backbone),
    }


def first_loss(dataset: TrainingDataset, backbone: Backbone, student: Any, teacher: Any, size: int = 4) -> float:
    """The loss of the first draws before any training."""
    module = Distiller(student, dataset.objective, shift=backbone.shift, causal=backbone.causal, teacher=teacher)
    batch = collate([dataset[number] for number in range(min(size, len(dataset)))], backbone.special.pad)
    with torch.no_grad():
        return float(module(**{name: value.to(backbone.device) for name, value in batch.items()})["loss"])
