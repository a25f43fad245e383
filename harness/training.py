"""What `harness train` and `harness trajectories` need of a suite: what a recipe trains on, its teacher, its base."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.suites import Suite
from harness.training_problems import MINI_PROBLEMS, training_problems

if TYPE_CHECKING:
    from methods.backbones import Backbone
    from methods.distill.recipe import Recipe
    from methods.distill.trajectory import Trajectory

VARIANTS = {"mini": "mini", "llada": "llada", "dream": "dream", "dream_coder": "coder"}


def variant_of(suite: Suite, recipe: str, variant: str | None) -> str:
    """The recipe's variant for a suite: the named one, or the suite's own."""
    if variant:
        return variant
    if recipe == "fast_dllm_v2" and suite.name != "mini":
        return "qwen2.5_7b"
    return VARIANTS.get(suite.name, suite.arch)


def default_problems(suite: Suite, recipe: Recipe) -> int:
    """How many problems a recipe asks for; 0 = the whole training split, of which a generated one has no end."""
    return recipe.common.problems or (MINI_PROBLEMS if suite.data == "mini" else 0)


def training_rows(
    recipe: Recipe, suite: Suite, backbone: Backbone, folder: Path, *, tasks: Sequence[str], data_dir: Path | None
) -> list[Trajectory]:
    """What a recipe trains on: recorded trajectories in `folder`, or gold answers.

    Warns on stderr where the set was made differently from what the recipe says; raises MethodsError when it was
    decoded from the other prompt.
    """
    from dataclasses import replace

    from methods.distill.launch import rank
    from methods.distill.problems import gold_trajectories
    from methods.distill.trajectory_files import departures, load_trajectories

    common = recipe.common
    if common.data == "gold":
        count = default_problems(suite, recipe)
        problems = training_problems(suite, backbone, tasks=tasks, count=count, seed=common.seed, data_dir=data_dir)
        return gold_trajectories(backbone, problems.items, common.gen_length)
    for sentence in departures(folder, common):
        if rank() == 0:
            print(f"warning: {sentence}", file=sys.stderr)
    rows = load_trajectories(folder, backbone, correct_only=common.correct_only, same_teacher=common.same_teacher)
    if common.teacher_prompt == "plain":
        rows = [replace(row, teacher=row.prompt) for row in rows]
    return rows


def data_note(recipe: Recipe, folder: Path) -> dict[str, Any]:
    """What a manifest records of the trajectories trained on; {} for gold answers, which the recipe's keys make."""
    from methods.distill.trajectory_files import made_by

    return made_by(folder) if recipe.common.data == "trajectories" else {}


def command_line() -> str:
    """This process's command, as one would type it."""
    return shlex.join(["harness", *sys.argv[1:]])


def commit() -> str | None:
    """The git commit of this checkout with `+` when files differ from it, None outside of one."""
    from harness.runner import provenance

    found = provenance.git()
    return found["commit"] + ("+" if found["dirty"] else "") if found else None


def set_threads(threads: int) -> None:
    """Use `threads` CPU threads; 0 leaves torch's choice."""
    import torch

    if threads:
        torch.set_num_threads(threads)


def base_source(suite: Suite, recipe: Recipe | None, base: str | None) -> tuple[str, str | None]:
    """(checkpoint, adapter) that training starts from: --base, else the suite's checkpoint of the recipe's student."""
    if base:
        return base, None
    reference = suite.checkpoint(recipe.common.student if recipe else "base")
    return reference.source, reference.adapter


def license_of(folder: Path | None) -> str | None:
    """The licence a checkpoint folder names in its manifest or model card, None when it does not."""
    if folder is None:
        return None
    manifest = folder / "manifest.json"
    if manifest.is_file():
        found: Mapping[str, Any] = json.loads(manifest.read_text(encoding="utf-8"))
        if found.get("license"):
            return str(found["license"])
    card = folder / "README.md"
    if card.is_file():
        for line in card.read_text(encoding="utf-8").splitlines()[:30]:
            if line.startswith("license:"):
                return line.partition(":")[2].strip()
    return None
