"""What a training run would do, without doing it: data, steps, memory, the first examples as text, the first loss."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from methods.backbones import Backbone
from methods.distill.nets import Distiller
from methods.distill.rows import Row
from methods.distill.stream import Stream, collate
from methods.distill.student import trainable
from methods.distill.train import Job, estimate, plan


def first_batch(stream: Stream, backbone: Backbone, rows: int = 2) -> list[dict[str, str]]:
    """The first examples of a run as text, masks shown as `_`; for --dry-run."""
    shown = []
    for number in range(min(rows, len(stream))):
        item, draw = stream[number], stream.draw(number)
        example = {"row": draw.row.id, "example": str(draw.pick)}
        for name in ("input", "input_rev", "teacher"):
            if name in item:
                example[name] = decoded(item[name].tolist(), backbone, stream.objective.tokens.mask)
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


def describe(job: Job, backbone: Backbone, rows: Sequence[Row]) -> dict[str, Any]:
    """What `train` would do: data, steps, memory, first batch as text and its loss. Writes nothing."""
    stream = plan(job, backbone, rows)
    student, teacher = trainable(backbone, job.recipe)
    common = job.recipe.common
    lengths = sorted(row.length for row in rows)
    return {
        "run": {
            "recipe": f"{job.recipe.title} ({job.recipe.variant}), {job.recipe.source}",
            "rows": len(rows),
            "canvas tokens": f"{lengths[0]} to {lengths[-1]}, median {lengths[len(lengths) // 2]}",
            "examples an epoch": stream.per_epoch,
            "steps": stream.steps,
            "epochs": round(stream.steps * common.batch / stream.per_epoch, 2),
            "batch": f"{common.batch} = {stream.micro} x {common.batch // stream.micro}",
            "trained weights": sum(p.numel() for p in student.parameters() if p.requires_grad),
            "teacher": "frozen copy" if teacher is not None else "adapter off" if job.recipe.needs_teacher else "none",
            "loss before training": round(first_loss(stream, backbone, student, teacher), 4),
        },
        "memory": estimate(job, student, teacher, stream).rows(),
        "first_batch": first_batch(stream, backbone),
    }


def first_loss(stream: Stream, backbone: Backbone, student: Any, teacher: Any, size: int = 4) -> float:
    """The loss of the first draws before any training."""
    module = Distiller(student, stream.objective, shift=backbone.shift, causal=backbone.causal, teacher=teacher)
    batch = collate([stream[number] for number in range(min(size, len(stream)))], backbone.special.pad)
    with torch.no_grad():
        return float(module(**{name: value.to(backbone.device) for name, value in batch.items()})["loss"])
