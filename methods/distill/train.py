"""One training run from rows to an exported model: checks, estimate, training (or resuming), export."""

from __future__ import annotations

import hashlib
import json
import math
import shutil
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from methods.backbones import Backbone
from methods.distill import card, memory
from methods.distill.nets import Distiller
from methods.distill.objectives import OBJECTIVES
from methods.distill.rate import matmul_rate
from methods.distill.recipe import Recipe
from methods.distill.rows import Row
from methods.distill.shards import atomically
from methods.distill.stream import Stream
from methods.distill.student import checkpointing, tokenizer_hash, tokens_of, trainable
from methods.distill.trainer import COMPLETE, DistillTrainer, accumulation, arguments, drop_torn, last_good, rank, world
from methods.errors import MethodsError


@dataclass(frozen=True)
class Job:
    """What to train and where. dtype: storage dtype of the export. note: for the manifest (commit, data, licence)."""

    recipe: Recipe
    out: Path
    report_to: tuple[str, ...] = ("none",)
    dtype: str | None = None
    merge: bool = True
    fresh: bool = False
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


def train(job: Job, backbone: Backbone, rows: Sequence[Row]) -> dict[str, Any]:
    """Train, resuming a killed run of the same job; returns the manifest, which lies in `job.out` with the model.

    Raises MethodsError for bad rows, another run in `job.out`, or a loss that is not finite.
    """
    stream = plan(job, backbone, rows)
    key = run_key(job, backbone, rows, stream.steps)
    done = finished(job.out, key)
    if done is not None and not job.fresh:
        return done
    work = job.out / "training"
    claim(work, key, job.fresh)
    student, teacher = trainable(backbone, job.recipe)
    if rank() == 0:
        print(sentence(estimate(job, student, teacher, stream), teacher is not None), file=sys.stderr)
    trainer, seconds = _run(job, backbone, stream, student, teacher, work)
    manifest = _manifest(job, backbone, stream, key, trainer, seconds)
    if trainer.is_world_process_zero():
        card.export(backbone, student, job.recipe, job.out, manifest, dtype=job.dtype, merge=job.merge)
        _tidy(work, job.out, trainer.state.log_history)
    trainer.accelerator.wait_for_everyone()
    return manifest


def _run(
    job: Job, backbone: Backbone, stream: Stream, student: Any, teacher: Any, work: Path
) -> tuple[DistillTrainer, tuple[float, float]]:
    common = job.recipe.common
    if common.checkpointing:
        checkpointing(student)
    module = Distiller(student, stream.objective, shift=backbone.shift, causal=backbone.causal, teacher=teacher)
    device = backbone.device.type
    args = arguments(
        common,
        work,
        steps=stream.steps,
        device=device,
        report_to=job.report_to,
        name=f"{job.recipe.name}-{job.out.name}",
    )
    trainer = DistillTrainer(module, args, stream, backbone.special.pad)
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


def finished(out: Path, key: dict[str, Any]) -> dict[str, Any] | None:
    """The manifest of a finished run with this key, else None."""
    file = out / "manifest.json"
    if not file.exists():
        return None
    manifest: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return manifest if manifest.get("key") == key else None


def claim(work: Path, key: dict[str, Any], fresh: bool) -> None:
    """Start or continue a run in `work`; raises MethodsError when it holds the beginning of another one."""
    file = work / "run.json"
    if fresh and work.exists() and world() == 1:
        shutil.rmtree(work)
    if file.exists():
        old = json.loads(file.read_text(encoding="utf-8"))
        if old != key:
            changed = ", ".join(_differences(old, key)) or "something"
            raise MethodsError(
                f"{work} holds an unfinished run that differs in {changed}; "
                "finish it, choose another --out, or pass --fresh."
            )
        return
    work.mkdir(parents=True, exist_ok=True)
    atomically(file, json.dumps(key, indent=2).encode())


def _differences(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    names = [name for name in new if name != "settings" and old.get(name) != new[name]]
    before, after = old.get("settings", {}), new["settings"]
    return names + [name for name in after if before.get(name) != after[name]]


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


def _tidy(work: Path, out: Path, history: list[dict[str, Any]]) -> None:
    """Keep the loss curve, drop optimiser states."""
    (out / "log.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in history), encoding="utf-8")
    shutil.rmtree(work)
