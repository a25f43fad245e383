"""`harness train METHOD`: distil a model by one of the recipes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

from harness.terminal import echo

EXAMPLE = "harness train tad_speed --suite mini --set delta=8 --set steps=300 --out runs/train/tad_speed"


def train(
    recipe: str = typer.Argument(
        help="A recipe: d3llm, tad_quality, tad_speed, dparallel, d2f, fast_dllm_v2, or a YAML file."
    ),
    suite: str = typer.Option("mini", help="The suite that provides the base model and the training problems."),
    variant: str | None = typer.Option(None, help="The recipe's variant (default: the suite's own)."),
    set_: list[str] = typer.Option([], "--set", metavar="KEY=VALUE", help="A key of the recipe; may be repeated."),
    seed: int | None = typer.Option(None, help="Seed of data order, noise and adapter (default: the recipe's)."),
    trajectories: Path | None = typer.Option(None, help="Folder made by `harness trajectories`."),
    tasks: str = typer.Option("", help="Tasks whose gold answers are used, comma separated (default: the suite's)."),
    data_dir: Path | None = typer.Option(None, help="Read the tasks' rows from this folder."),
    base: str | None = typer.Option(None, help="Start from this checkpoint (folder or hub id)."),
    out: Path | None = typer.Option(None, help="Folder of the trained model; run again to continue."),
    store: str | None = typer.Option(None, help="Number format of the exported weights, e.g. float16."),
    adapter_only: bool = typer.Option(False, "--adapter-only", help="Export the LoRA adapter without merging it."),
    report_to: str = typer.Option("none", help="Trackers, comma separated: none, tensorboard, wandb, trackio."),
    device: str = typer.Option("auto", help="auto, cpu, cuda."),
    dtype: str = typer.Option("auto", help="Number format of the frozen weights; full tuning needs float32."),
    threads: int = typer.Option(0, min=0, help="CPU threads; 0 = all cores."),
    fresh: bool = typer.Option(False, "--fresh", help="Delete the training in --out and start over."),
    replace: bool = typer.Option(False, "--replace", help="Delete another run in --out; the same run is continued."),
    dry_run: bool = typer.Option(
        False, "--dry-run", help="Show data, steps, memory and the first batch; train nothing."
    ),
    json: bool = typer.Option(False, "--json", help="The manifest as JSON on stdout."),
) -> None:
    """Distil a model; if interrupted, the same command continues from the last complete checkpoint."""
    from harness import training
    from harness.runner import provenance
    from harness.settings import parse
    from harness.show import print_json
    from harness.suites import load_suite
    from methods.backbones import load
    from methods.distill import recipe as recipes
    from methods.distill.job import Job
    from methods.distill.launch import check_trackers

    trackers = tuple(report_to.split(","))
    check_trackers(trackers)
    training.set_threads(threads)
    chosen = load_suite(suite)
    loaded = recipes.load(recipe, training.variant_of(chosen, recipe, variant)).with_values(parse(set_))
    if seed is not None:
        loaded = loaded.with_values({"seed": seed})
    source, adapter = training.base_source(chosen, loaded, base)
    full = loaded.common.tuning == "full"
    backbone = load(source, device=device, dtype="float32" if full and dtype == "auto" else dtype, adapter=adapter)
    folder = trajectories or Path("runs/trajectories") / chosen.name / loaded.common.prompt
    chosen_tasks = [task for task in tasks.split(",") if task]
    rows = training.training_rows(loaded, chosen, backbone, folder, tasks=chosen_tasks, data_dir=data_dir)
    job = Job(
        recipe=loaded,
        out=out or Path("runs/train") / chosen.name / loaded.name,
        report_to=trackers,
        dtype=store,
        merge=not adapter_only,
        fresh=fresh,
        replace=replace,
        command=training.command_line(),
        source=source,
        note={
            "commit": training.commit(),
            "license": training.license_of(backbone.folder),
            "hardware": provenance.hardware(),
            "versions": provenance.packages(),
            "data": training.data_note(loaded, folder),
        },
    )
    if dry_run:
        _show_plan(job, backbone, rows, json)
        return
    from methods.distill.train import train as run

    manifest = run(job, backbone, rows)
    if json:
        print_json(manifest)
        return
    echo(f"{job.out}: {manifest['steps']} steps, loss {manifest['loss']:.4f}, {manifest['seconds'] / 60:.1f} minutes")
    echo(f"next: harness run --suite {suite} --method {loaded.name} --checkpoint {job.out} --task gsm8k")


def _show_plan(job: Any, backbone: Any, rows: list[Any], as_json: bool) -> None:
    from harness.show import print_json, print_table
    from methods.distill.describe import describe

    plan = describe(job, backbone, rows)
    if as_json:
        print_json(plan)
        return
    print_table([{"": name, "value": value} for name, value in plan["run"].items()])
    print_table(plan["memory"])
    for example in plan["first_batch"]:
        echo()
        for name, value in example.items():
            echo(f"{name}: {value}")
