"""One training run from rows to an exported model: checks, estimate, training (or resuming), export."""

from __future__ import annotations

import hashlib
import json
import math
import shutil
import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from transformers import TrainingArguments

from methods.backbones import Backbone
from methods.backbones.saving import stored_dtype
from methods.distill import card, folder, memory
from methods.distill.nets import Distiller
from methods.distill.objectives import OBJECTIVES
from methods.distill.rate import matmul_rate
from methods.distill.recipe import Recipe
from methods.distill.rows import Row
from methods.distill.stream import Stream
from methods.distill.student import checkpointing, tokenizer_hash, tokens_of, trainable, unshard
from methods.distill.trainer import (
    COMPLETE,
    DistillTrainer,
    accumulation,
    arguments,
    check_trackers,
    drop_torn,
    last_good,
    rank,
    world,
)
from methods.errors import MethodsError


@dataclass(frozen=True)
class Job:
    """What to train and where. dtype: storage dtype of the export, None for the model's own.

    fresh: throw away what a training left in `out`. replace: the same, but only if it was another run: this one is
    continued. note: for the manifest (commit, licence, and under "data" what made the rows).
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


def rows_fingerprint(rows: Sequence[Row]) -> str:
    """A hash of everything in the rows that training can see."""
    digest = hashlib.sha256()
    for row in rows:
        digest.update(row.id.encode())
        for values in (row.prompt, row.teacher, row.decoded, row.response, row.reveal):
            digest.update(values.tobytes() + b"|")
    return digest.hexdigest()[:16]


def check_rows(rows: Sequence[Row], backbone: Backbone, max_length: int) -> None:
    """Raises MethodsError for an empty set, an id the model has no row for, or a canvas longer than max_length."""
    if not rows:
        raise MethodsError("There are no training rows: the trajectory set is empty or nothing in it is correct.")
    limit = min(max_length, backbone.max_positions)
    for row in rows:
        top = max(int(values.max(initial=0)) for values in (row.prompt, row.teacher, row.response))
        if top >= backbone.vocab_size:
            raise MethodsError(
                f"Row {row.id} holds the id {top}, but the model has {backbone.vocab_size} rows: "
                "teacher and student do not share a vocabulary."
            )
        longest = max(len(row.prompt), len(row.teacher)) + len(row.response)
        if longest > limit:
            raise MethodsError(
                f"Row {row.id} needs {longest} tokens (prompt and response), more than max_length {limit}; "
                "raise max_length, or make trajectories with a smaller gen_length."
            )
        if not len(row.response) or len(row.response) != len(row.reveal):
            raise MethodsError(f"Row {row.id} has {len(row.response)} response ids and {len(row.reveal)} reveal steps.")


def plan(job: Job, backbone: Backbone, rows: Sequence[Row]) -> Stream:
    """The training stream of a job; its length is fixed before the first step."""
    common = job.recipe.common
    check_rows(rows, backbone, common.max_length)
    objective = OBJECTIVES[job.recipe.objective][1](job.recipe.settings, tokens_of(backbone, common.max_length))
    per_epoch = sum(objective.examples(row) for row in rows)
    steps = common.steps or max(1, math.ceil(common.epochs * per_epoch / common.batch))
    micro, _ = accumulation(common, world())
    return Stream(rows, objective, steps=steps, batch=common.batch, micro=micro, seed=common.seed, tail=common.tail)


def run_key(job: Job, backbone: Backbone, rows: Sequence[Row], steps: int) -> dict[str, Any]:
    """What must be equal for a run to be continued."""
    return {
        "recipe": job.recipe.name,
        "variant": job.recipe.variant,
        "settings": json.loads(json.dumps(job.recipe.values())),
        "steps": steps,
        "base": backbone.fingerprint,
        "tokenizer": tokenizer_hash(backbone.tokenizer),
        "data": rows_fingerprint(rows),
    }


def estimate(job: Job, student: Any, teacher: Any, stream: Stream) -> memory.Memory:
    """Memory of one forward and backward on the widest batch the rows can make."""
    common = job.recipe.common
    views = 2 if getattr(job.recipe.settings, "complementary", False) else 1
    views *= 2 if job.recipe.objective == "block_diffusion" else 1
    longest = max(max(len(row.prompt), len(row.teacher)) + len(row.response) for row in stream.rows)
    return memory.estimate(
        student,
        copies=0 if teacher is None else 1,
        tokens=stream.micro * longest * views,
        half=common.precision != "fp32",
        checkpointing=common.checkpointing,
    )


def export_of(job: Job, backbone: Backbone) -> dict[str, Any]:
    """How the weights will be stored; raises MethodsUsageError for an unknown dtype before anything is trained."""
    kind = stored_dtype(backbone, job.dtype)
    alone = job.recipe.common.tuning == "lora" and not job.merge
    return {"store": None if alone else str(kind).removeprefix("torch."), "adapter_only": alone}


def train(job: Job, backbone: Backbone, rows: Sequence[Row]) -> dict[str, Any]:
    """Train, resuming a killed run of the same job; returns the manifest, which lies in `job.out` with the model.

    Raises MethodsError for bad rows, an unknown tracker, another run in `job.out` (unless `job` says to replace it),
    or a loss that is not finite.
    """
    check_trackers(job.report_to)
    stream = plan(job, backbone, rows)
    key, export = run_key(job, backbone, rows, stream.steps), export_of(job, backbone)
    inside = folder.obstacle(job.out, key, export)
    if inside and not (job.fresh or job.replace):
        raise MethodsError(f"{inside}, choose another --out, or pass --replace to throw it away.")
    done = None if inside or job.fresh else folder.finished(job.out, key)
    if done is not None:
        return done
    args = _arguments(job, backbone, stream)
    _together(args, lambda: folder.begin(job.out, key, clear=job.fresh or bool(inside)))
    student, teacher = trainable(backbone, job.recipe)
    if rank() == 0:
        print(sentence(estimate(job, student, teacher, stream), teacher is not None), file=sys.stderr)
    trainer, seconds = _run(job, backbone, stream, student, teacher, args)
    manifest = _manifest(job, backbone, stream, key, trainer, seconds) | {"export": export}
    unshard(student)
    if trainer.is_world_process_zero():
        card.export(backbone, student, job.recipe, job.out, manifest, dtype=job.dtype, merge=job.merge)
        _tidy(job.out, trainer.state.log_history)
    trainer.accelerator.wait_for_everyone()
    return manifest


def _arguments(job: Job, backbone: Backbone, stream: Stream) -> TrainingArguments:
    return arguments(
        job.recipe.common,
        job.out / folder.WORK,
        steps=stream.steps,
        device=backbone.device.type,
        report_to=job.report_to,
        name=f"{job.recipe.name}-{job.out.name}",
    )


def _together(args: TrainingArguments, act: Callable[[], object]) -> None:
    """Run `act` in one process, when all have looked at the folder and before any goes on."""
    args.distributed_state.wait_for_everyone()
    if rank() == 0:
        act()
    args.distributed_state.wait_for_everyone()


def _run(
    job: Job, backbone: Backbone, stream: Stream, student: Any, teacher: Any, args: TrainingArguments
) -> tuple[DistillTrainer, tuple[float, float]]:
    common, work = job.recipe.common, job.out / folder.WORK
    if common.checkpointing:
        checkpointing(student)
    module = Distiller(student, stream.objective, shift=backbone.shift, causal=backbone.causal, teacher=teacher)
    trainer = DistillTrainer(module, args, stream, backbone.special.pad, logs=job.out / "runs")
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


def sentence(need: memory.Memory, copied: bool) -> str:
    """The memory estimate in one line, and where the teacher comes from."""
    parts = ", ".join(f"{row['memory']} {row['size']}" for row in need.rows())
    how = "a frozen copy is the teacher" if copied else "no second copy of the weights"
    return f"memory per device without sharding (estimate): {parts}; {how}"


def _manifest(
    job: Job,
    backbone: Backbone,
    stream: Stream,
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
        "steps": stream.steps,
        "loss": losses[-1]["loss"] if losses else float("nan"),
        "base": {"source": job.source, "fingerprint": backbone.fingerprint, "license": job.note.get("license")},
        "data": {
            "kind": recipe.common.data,
            "rows": len(stream.rows),
            "examples_per_epoch": stream.per_epoch,
            "fingerprint": key["data"],
        }
        | job.note.get("data", {}),
        "settings": key["settings"],
        "command": job.command,
        "commit": job.note.get("commit"),
        "seconds": round(seconds[0], 1),
        "cpu_seconds": round(seconds[1], 1),
        **_speed(trainer),
        "processes": world(),
        "hardware": card.hardware(),
        "versions": card.versions(),
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


def _tidy(out: Path, history: list[dict[str, Any]]) -> None:
    """Keep the loss curve, drop optimiser states."""
    (out / "log.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in history), encoding="utf-8")
    shutil.rmtree(out / folder.WORK)
