"""Teacher decodes with one token per forward pass, recorded as the order of reveal: O(length) numbers a sample.

The reference stores every intermediate sequence, O(length^2). Problems are cut into shards; a shard is written whole
or not at all, so a killed run loses at most one shard, and several machines can share the work (`part`).
Wrong answers are decoded again at the next temperature; the last attempt is kept with `correct` false.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from methods.backbones import Backbone
from methods.decoding import Decoder, Request, Result
from methods.distill.problems import Problem, undecoded
from methods.distill.student import tokenizer_hash
from methods.distill.trajectory import Trajectory, ints
from methods.distill.trajectory_files import HEADER, atomically, read_header, read_shard, shard_file, write_shard
from methods.errors import MethodsError

Decode = Callable[..., Iterable[Result]]
Grade = Callable[[Problem, Sequence[int]], tuple[str, bool]]  # (problem, response ids) -> (scored text, correct)


@dataclass(frozen=True)
class Plan:
    """How a set is made. decode_from: "plain" or "privileged". part, parts: this machine's share of the shards.

    half: bfloat16 matmuls on float32 weights (autocast), for a CPU that multiplies bfloat16 faster.
    """

    gen_length: int
    decode_from: str = "plain"
    temperatures: tuple[float, ...] = (0.0,)
    batch_size: int = 32
    shard: int = 128
    seed: int = 0
    half: bool = False
    part: int = 0
    parts: int = 1


def header(
    backbone: Backbone, problems: Sequence[Problem], plan: Plan, source: str, extra: dict[str, Any]
) -> dict[str, Any]:
    """What must be equal for a set to be continued or trained on."""
    settings = {key: value for key, value in asdict(plan).items() if key not in ("part", "parts", "batch_size")}
    return {
        "schema_version": 1,
        "teacher": backbone.fingerprint,
        "tokenizer": tokenizer_hash(backbone.tokenizer),
        "source": source,
        "arch": backbone.arch,
        "plan": json.loads(json.dumps(settings)),
        "problems": len(problems),
        "shards": -(-len(problems) // plan.shard),
        "problem_hash": _hash("\0".join(f"{p.id}\0{p.prompt}\0{p.teacher}" for p in problems)),
    } | extra


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def generate(
    backbone: Backbone,
    problems: Sequence[Problem],
    out: Path,
    plan: Plan,
    *,
    decoder: Callable[[float], Decoder],
    grade: Grade,
    source: str = "",
    extra: dict[str, Any] | None = None,
    on_shard: Callable[[int, int, int], None] | None = None,
    decode: Decode | None = None,
) -> dict[str, int]:
    """Decode every problem of this part that `out` does not hold yet; returns its counts: problems, correct, shards.

    decoder(temperature) builds the teacher's decoder; grade(problem, ids) gives the text of a response
    that is scored, and whether it is correct.
    on_shard(problems done, of, correct so far). Raises MethodsError when `out` holds another set.
    """
    if backbone.tokenizer is None:
        raise MethodsError("The teacher's checkpoint holds no tokenizer, so prompts cannot be encoded.")
    if not problems:
        raise MethodsError("There are no problems to make trajectories of.")
    if decode is None:
        from methods.decoding import decode as engine

        decode = engine
    write_header(out, header(backbone, problems, plan, source, extra or {}))
    starts = range(0, len(problems), plan.shard)
    mine = [number for number in range(len(starts)) if number % plan.parts == plan.part]
    total = sum(len(problems[starts[number] :][: plan.shard]) for number in mine)
    seen = good = 0
    for number in mine:
        file, chunk = shard_file(out, number), problems[starts[number] :][: plan.shard]
        if not file.exists():
            write_shard(file, _decode_shard(backbone, chunk, starts[number], plan, decoder, grade, decode))
        seen, good = seen + len(chunk), good + sum(one.correct for one in read_shard(file))
        if on_shard:
            on_shard(seen, total, good)
    return {"problems": total, "correct": good, "shards": len(mine)}


def write_header(out: Path, wanted: dict[str, Any]) -> None:
    """Write the header of a set, or check that the one there is equal. Raises MethodsError naming what differs."""
    out.mkdir(parents=True, exist_ok=True)
    file = out / HEADER
    if not file.exists():
        atomically(file, json.dumps(wanted, indent=2).encode())
        return
    found = read_header(out)
    changed = [key for key in wanted if found.get(key) != wanted[key]]
    if changed:
        raise MethodsError(
            f"{out} holds other trajectories (they differ in {', '.join(changed)}); choose another --out."
        )


def _decode_shard(
    backbone: Backbone,
    problems: Sequence[Problem],
    first: int,
    plan: Plan,
    decoder: Callable[[float], Decoder],
    grade: Grade,
    decode: Decode,
) -> list[Trajectory]:
    made = [undecoded(backbone, problem, plan.decode_from) for problem in problems]
    for attempt, temperature in enumerate(plan.temperatures):
        todo = [index for index, one in enumerate(made) if not one.correct]
        built = decoder(temperature)
        requests = [
            Request(
                prompt_ids=made[index].decoded.tolist(),
                gen_length=plan.gen_length,
                decoder=built,
                seed=plan.seed + 1_000_003 * attempt + first + index,
            )
            for index in todo
        ]
        with torch.autocast(backbone.device.type, torch.bfloat16, enabled=plan.half):
            results = list(decode(backbone, requests, batch_size=plan.batch_size))
        for result in results:
            index = todo[result.index]
            text, correct = grade(problems[index], result.output_ids)
            made[index] = replace(
                made[index],
                response=ints(result.output_ids),
                reveal=ints(result.reveal_step),
                correct=bool(correct),
                text=text,
            )
    return made
