"""What to train and where: a job, its training set, its key, its estimate; everything that is checked before a step."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from methods.backbones import Backbone
from methods.backbones.saving import stored_dtype
from methods.distill import memory
from methods.distill.dataset import TrainingDataset
from methods.distill.launch import accumulation, world
from methods.distill.objectives import OBJECTIVES
from methods.distill.recipe import Recipe
from methods.distill.student import tokenizer_hash, tokens_of
from methods.distill.trajectory import Trajectory
from methods.errors import MethodsError


@dataclass(frozen=True)
class Job:
    """What to train and where. dtype: storage dtype of the export, None for the model's own.

    fresh: delete what a training left in `out`. replace: the same, but only if it was another run: this one is
    continued. note: for the manifest: `commit`, `license`, `hardware`, `versions`, and under `data` what made the
    trajectories.
    """

    recipe: Recipe
    out: Path
    report_to: tuple[str, ...] = ("none",)
    dtype: str | None = None
    merge: bool = True
    fresh: bool = False
    replace: bool = False
    command: str = ""
    source: str = ""
    note: dict[str, Any] = field(default_factory=dict)


def data_fingerprint(trajectories: Sequence[Trajectory]) -> str:
    """A hash of everything in the trajectories that training can see."""
    digest = hashlib.sha256()
    for one in trajectories:
        digest.update(one.id.encode())
        for values in (one.prompt, one.teacher, one.decoded, one.response, one.reveal):
            digest.update(values.tobytes() + b"|")
    return digest.hexdigest()[:16]


def check_trajectories(trajectories: Sequence[Trajectory], backbone: Backbone, max_length: int) -> None:
    """Raises MethodsError for an empty set, an id outside the embedding, or a canvas longer than max_length."""
    if not trajectories:
        raise MethodsError("There is nothing to train on: the trajectory set is empty or nothing in it is correct.")
    limit = min(max_length, backbone.max_positions)
    for one in trajectories:
        top = max(int(values.max(initial=0)) for values in (one.prompt, one.teacher, one.response))
        if top >= backbone.vocab_size:
            raise MethodsError(
                f"Trajectory {one.id} holds the id {top}, but the model has {backbone.vocab_size} rows: "
                "teacher and student do not share a vocabulary."
            )
        longest = max(len(one.prompt), len(one.teacher)) + len(one.response)
        if longest > limit:
            raise MethodsError(
                f"Trajectory {one.id} needs {longest} tokens (prompt and response), more than max_length {limit}; "
                "raise max_length, or make trajectories with a smaller gen_length."
            )
        if not len(one.response) or len(one.response) != len(one.reveal):
            raise MethodsError(
                f"Trajectory {one.id} has {len(one.response)} response ids and {len(one.reveal)} reveal steps."
            )


def plan(job: Job, backbone: Backbone, trajectories: Sequence[Trajectory]) -> TrainingDataset:
    """The training set of a job; its length is fixed before the first step."""
    common = job.recipe.common
    check_trajectories(trajectories, backbone, common.max_length)
    objective = OBJECTIVES[job.recipe.objective][1](job.recipe.settings, tokens_of(backbone, common.max_length))
    per_epoch = sum(objective.examples(one) for one in trajectories)
    steps = common.steps or max(1, math.ceil(common.epochs * per_epoch / common.batch))
    micro, _ = accumulation(common, world())
    return TrainingDataset(
        trajectories, objective, steps=steps, batch=common.batch, micro=micro, seed=common.seed, tail=common.tail
    )


def run_key(job: Job, backbone: Backbone, trajectories: Sequence[Trajectory], steps: int) -> dict[str, Any]:
    """What must be equal for a run to be continued."""
    return {
        "recipe": job.recipe.name,
        "variant": job.recipe.variant,
        "settings": json.loads(json.dumps(job.recipe.values())),
        "steps": steps,
        "base": backbone.fingerprint,
        "tokenizer": tokenizer_hash(backbone.tokenizer),
        "data": data_fingerprint(trajectories),
    }


def estimate(job: Job, student: Any, teacher: Any, dataset: TrainingDataset) -> memory.Memory:
    """Memory of one forward and backward on the widest batch the trajectories can make."""
    common = job.recipe.common
    views = 2 if getattr(job.recipe.settings, "complementary", False) else 1
    views *= 2 if job.recipe.objective == "block_diffusion" else 1
    longest = max(max(len(one.prompt), len(one.teacher)) + len(one.response) for one in dataset.trajectories)
    return memory.estimate(
        student,
        copies=0 if teacher is None else 1,
        tokens=dataset.micro * longest * views,
        half=common.precision != "fp32",
        checkpointing=common.checkpointing,
    )


def export_of(job: Job, backbone: Backbone) -> dict[str, Any]:
    """How the weights will be stored; raises MethodsUsageError for an unknown dtype before anything is trained."""
    kind = stored_dtype(backbone, job.dtype)
    alone = job.recipe.common.tuning == "lora" and not job.merge
    return {"store": None if alone else str(kind).removeprefix("torch."), "adapter_only": alone}
