"""Trajectories on disk: parquet shards written atomically, and a header that records what made them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from methods.backbones import Backbone
from methods.backbones.special import read_json
from methods.distill.recipe import Common
from methods.distill.student import tokenizer_hash
from methods.distill.trajectory import Trajectory, ints
from methods.errors import MethodsError

HEADER = "trajectories.json"
BEFORE = {"score": "probability", "top_p": 1.0}  # how sets were decoded before their header recorded it
COLUMNS = ("prompt", "teacher", "decoded", "response", "reveal")


def shard_file(folder: Path, number: int) -> Path:
    """The file of shard `number`."""
    return folder / f"shard-{number:05d}.parquet"


def write_shard(file: Path, trajectories: Sequence[Trajectory]) -> None:
    """Write a shard atomically."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table: dict[str, Any] = {name: [getattr(one, name).tolist() for one in trajectories] for name in COLUMNS}
    table |= {name: [getattr(one, name) for one in trajectories] for name in ("id", "task", "correct", "text")}
    types = {name: pa.list_(pa.int32()) for name in COLUMNS}
    types |= {"id": pa.string(), "task": pa.string(), "correct": pa.bool_(), "text": pa.string()}
    fresh = file.with_suffix(f".{os.getpid()}.new")
    pq.write_table(pa.table(table, schema=pa.schema(list(types.items()))), fresh, compression="zstd")
    os.replace(fresh, file)


def read_shard(file: Path) -> Iterator[Trajectory]:
    """The trajectories of a shard. Raises MethodsError for a file that is not one."""
    import pyarrow.parquet as pq

    try:
        content = pq.read_table(file).to_pylist()
        made = [_trajectory(entry) for entry in content]
    except Exception as error:  # of pyarrow's many, or a column too few
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise MethodsError(f"{file} is not a readable shard ({first}); delete it and run again.") from None
    yield from made


def _trajectory(entry: dict[str, Any]) -> Trajectory:
    values: dict[str, Any] = {name: ints(value) if name in COLUMNS else value for name, value in entry.items()}
    return Trajectory(**values)


def read_header(folder: Path) -> dict[str, Any]:
    """What made the set in `folder`. Raises MethodsError when there is none, or its header is damaged."""
    if not (folder / HEADER).exists():
        raise MethodsError(f"{folder} holds no trajectories; make them with `harness trajectories`.")
    head = BEFORE | read_json(folder / HEADER)
    plan = head.get("plan")
    if not isinstance(plan, dict) or not {"decode_from", "temperatures", "gen_length"} <= set(plan):
        raise MethodsError(f"{folder / HEADER} is damaged: it does not hold a plan; make the set again elsewhere.")
    if not {"teacher", "tokenizer"} <= set(head) or type(head.get("shards")) is not int:
        raise MethodsError(
            f"{folder / HEADER} is damaged: teacher, tokenizer or shards are missing; make the set again."
        )
    return head


def departures(folder: Path, common: Common) -> list[str]:
    """Where the set in `folder` departs from the recipe, one sentence each: warnings, not errors.

    Raises MethodsError when it was decoded from the other prompt: a method that learns from the privileged decode
    would silently train on something else.
    """
    head = read_header(folder)
    made = head["plan"] | {"block": head.get("block"), "score": head["score"], "top_p": head["top_p"]}
    if made["decode_from"] != common.prompt:
        raise MethodsError(
            f"{folder} was decoded from the {made['decode_from']} prompt, the recipe trains on decodes from the "
            f"{common.prompt} one; make them with `harness trajectories --prompt {common.prompt}`, or --set "
            f"prompt={made['decode_from']}."
        )
    wanted = {
        "temperatures": list(common.temperatures),
        "gen_length": common.gen_length,
        "block": common.block_length,
        "score": common.score,
        "top_p": common.top_p,
    }
    return [
        f"{folder} was made with {name} {made[name]}; the recipe has {value}."
        for name, value in wanted.items()
        if made[name] not in (None, value)
    ]


def made_by(folder: Path) -> dict[str, Any]:
    """What a training's manifest records about the set in `folder`: problems, tasks and how they were decoded."""
    head = read_header(folder)
    names = ("plan", "block", "score", "top_p", "problems", "tasks", "teacher")
    return {"trajectories": {name: head.get(name) for name in names}}


def load_trajectories(
    folder: Path, backbone: Backbone, *, correct_only: bool = True, same_teacher: bool = True
) -> list[Trajectory]:
    """The trajectories in `folder` for training `backbone`.

    Raises MethodsError when the set is missing, incomplete, made by another tokenizer or checkpoint, or has nothing
    left after the filter.
    """
    head = read_header(folder)
    mine = tokenizer_hash(backbone.tokenizer)
    if head["tokenizer"] != mine:
        raise MethodsError(f"{folder} was made with the tokenizer {head['tokenizer']}; this model's is {mine}.")
    if same_teacher and head["teacher"] != backbone.fingerprint:
        raise MethodsError(
            f"{folder} was made by the checkpoint {head['teacher']}, not by {backbone.fingerprint}; "
            "make trajectories with this model, or set same_teacher=false."
        )
    missing = [number for number in range(head["shards"]) if not shard_file(folder, number).exists()]
    if missing:
        raise MethodsError(
            f"{folder} lacks {len(missing)} of {head['shards']} shards; run `harness trajectories` again."
        )
    found = [one for number in range(head["shards"]) for one in read_shard(shard_file(folder, number))]
    kept = [one for one in found if one.correct or not correct_only]
    if not kept:
        raise MethodsError(f"{folder}: none of the {len(found)} trajectories is correct; nothing to train on.")
    return kept


def atomically(file: Path, content: bytes) -> None:
    """Write a file atomically."""
    fresh = file.with_suffix(f".{os.getpid()}.new")
    fresh.write_bytes(content)
    os.replace(fresh, file)
