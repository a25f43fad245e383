"""`harness trajectories`: the teacher's decodes that the distillations train on."""

from __future__ import annotations

import math
from functools import partial
from pathlib import Path

import typer

from harness.terminal import echo

EXAMPLE = "harness trajectories --suite mini --prompt privileged --problems 1600 --batch-size 64"


def trajectories(
    suite: str = typer.Option("mini", help="The suite whose base is the teacher."),
    prompt: str = typer.Option(
        "plain", help="Decode from the plain or the privileged prompt; both prompts are stored."
    ),
    problems: int = typer.Option(
        0, min=0, help="Problems of all tasks together; 0 = the training splits (mini: 1600 a task)."
    ),
    tasks: str = typer.Option("", help="Tasks, comma separated (default: the suite's)."),
    temperatures: str = typer.Option(
        "0", help="Sampling temperatures, tried in turn until the answer is right, e.g. 0,0.1,0.2."
    ),
    gen_length: int | None = typer.Option(None, min=1, help="Tokens to generate (default: the longest protocol's)."),
    block: int | None = typer.Option(None, min=1, help="Decoding block (default: 16 for mini, else 32)."),
    score: str | None = typer.Option(
        None,
        help="What ranks the positions: probability, entropy, margin (default: entropy for Dream, else probability).",
    ),
    top_p: float = typer.Option(
        1.0, min=0.01, max=1.0, help="Nucleus kept at temperatures above 0 (TAD on Dream: 0.95)."
    ),
    batch_size: int = typer.Option(64, min=1, help="Rows decoded at once."),
    shard: int = typer.Option(128, min=1, help="Problems per shard; an interrupted run loses at most one shard."),
    part: str = typer.Option("0/1", help="This machine's part of the shards, e.g. 2/8."),
    seed: int = typer.Option(0, help="Seed of problems and sampling."),
    data_dir: Path | None = typer.Option(None, help="Read the tasks' rows from this folder."),
    base: str | None = typer.Option(None, help="The teacher (folder or hub id; default: the suite's base)."),
    device: str = typer.Option("auto", help="auto, cpu, cuda."),
    dtype: str = typer.Option("auto", help="Number format of the weights: auto, float32, bfloat16."),
    precision: str = typer.Option(
        "auto", help="Matrix products in bf16 or fp32; auto: bf16 where the hardware is fast at it."
    ),
    threads: int = typer.Option(0, min=0, help="CPU threads; 0 = all cores."),
    out: Path | None = typer.Option(None, help="Folder of the shards; run again to continue."),
    json: bool = typer.Option(False, "--json", help="The counts as JSON on stdout."),
) -> None:
    """Decode training problems one token per forward pass and store the order of commitment; run again to continue."""
    from harness import training
    from harness.runner.models import reader_of
    from harness.show import print_json
    from harness.suites import load_suite
    from harness.training_problems import grade, training_problems
    from methods.backbones import load
    from methods.distill.teacher import teacher_decoder, teacher_score
    from methods.distill.trajectory_generation import Plan, generate

    training.set_threads(threads)
    chosen = load_suite(suite)
    number, parts = _part(part)
    heat = _temperatures(temperatures)
    ranking = _one_of("score", score, ("probability", "entropy", "margin")) if score else None
    source, adapter = training.base_source(chosen, None, base)
    backbone = load(source, device=device, dtype=dtype, adapter=adapter)
    names = [task for task in tasks.split(",") if task]
    found = training_problems(chosen, backbone, tasks=names, count=problems, seed=seed, data_dir=data_dir)
    length = gen_length or max(loaded.protocol.gen_length for loaded in found.loaded.values())
    plan = Plan(
        gen_length=length,
        decode_from=_one_of("prompt", prompt, ("plain", "privileged")),
        temperatures=heat,
        batch_size=batch_size,
        shard=shard,
        seed=seed,
        half=_half(precision, backbone.device.type),
        part=number,
        parts=parts,
    )
    folder = out or Path("runs/trajectories") / chosen.name / prompt
    made_with = {"score": ranking or teacher_score(backbone.arch), "top_p": top_p}
    size = block or (16 if chosen.data == "mini" else 32)
    with _bar() as on_shard:
        counts = generate(
            backbone,
            found.items,
            folder,
            plan,
            decoder=teacher_decoder(backbone.arch, size, score=ranking, top_p=top_p),
            grade=partial(grade, found.loaded, reader_of(backbone, source)),
            source=source,
            extra=made_with | {"block": size, "tasks": sorted(found.loaded)},
            on_shard=on_shard,
        )
    if json:
        print_json(counts | {"out": str(folder)})
    else:
        share = f" (part {part})" if parts > 1 else ""
        echo(f"{folder}{share}: {counts['problems']} problems, {counts['correct']} correct, {counts['shards']} shards")
        recipe = {"plain": "d3llm", "privileged": "tad_speed"}[prompt]
        echo(f"next: harness train {recipe} --suite {suite} --trajectories {folder}")


def _part(text: str) -> tuple[int, int]:
    from harness.errors import UsageError

    number, _, parts = text.partition("/")
    if not (number.isdigit() and parts.isdigit() and int(number) < int(parts)):
        raise UsageError(f"--part {text}: write i/n with i from 0 to n - 1.")
    return int(number), int(parts)


def _temperatures(text: str) -> tuple[float, ...]:
    from harness.errors import UsageError

    try:
        found = tuple(float(value) for value in text.split(","))
    except ValueError:
        found = ()
    if not found or not all(0 <= value < math.inf for value in found):
        raise UsageError(f"--temperatures {text}: write numbers from 0 up, separated by commas, e.g. 0,0.1.")
    return found


def _half(precision: str, device: str) -> bool:
    from methods.distill.launch import fast_bf16

    _one_of("precision", precision, ("auto", "bf16", "fp32"))
    return precision == "bf16" or (precision == "auto" and device == "cpu" and fast_bf16(device))


def _one_of(what: str, text: str, known: tuple[str, ...]) -> str:
    from harness.errors import unknown

    if text not in known:
        raise unknown(what, text, known)
    return text


def _bar():  # type: ignore[no-untyped-def]
    from contextlib import contextmanager

    from rich.console import Console
    from rich.progress import Progress

    @contextmanager
    def show():  # type: ignore[no-untyped-def]
        with Progress(console=Console(stderr=True)) as bar:
            task = bar.add_task("trajectories", total=None)

            def on_shard(seen: int, total: int, good: int) -> None:
                bar.update(task, completed=seen, total=total, description=f"{good} of {seen} correct")

            yield on_shard

    return show()
