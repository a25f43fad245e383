"""Hands a suite's training problems and scorers to the trainers, as data and functions."""

from __future__ import annotations

import json
import random
import shlex
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import UsageError, UserError
from harness.suites import Suite

if TYPE_CHECKING:
    from methods.backbones import Backbone
    from methods.decoding import Decoder
    from methods.distill.recipe import Recipe
    from methods.distill.rows import Row
    from methods.distill.trajectories import Problem
    from tasks.loaded import Loaded

VARIANTS = {"mini": "mini", "llada": "llada", "dream": "dream", "dream_coder": "coder"}
# generated tasks have no end: of all tasks together for gold answers, of every task for `harness trajectories`
MINI_PROBLEMS = 1600


@dataclass
class Problems:
    """Training problems of a suite and the tasks that score them."""

    items: list[Problem]
    loaded: dict[str, Loaded]

    def accept(self, problem: Problem, text: str) -> bool:
        """Whether the task's own scorer calls `text` right."""
        from tasks.scoring import score

        loaded = self.loaded[problem.task]
        stops = [at for stop in loaded.protocol.until if stop and (at := text.find(stop)) >= 0]
        return score(loaded, problem.doc, text[: min(stops, default=len(text))]).correct


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


def training_problems(
    suite: Suite,
    backbone: Backbone,
    *,
    tasks: Sequence[str] = (),
    count: int = 0,
    seed: int = 0,
    data_dir: Path | None = None,
) -> Problems:
    """Problems of the training splits, tasks in turn, with prompts as the suite's protocols make them.

    count: of all tasks together (0 = all there are, and 1600 of every generated task). Raises UserError for a task
    that the suite does not have, or that has no training split.
    """
    from harness.runner.plan import template
    from methods.distill.prompts import with_reference
    from methods.distill.trajectories import Problem

    names = list(tasks) or suite.tasks
    for task in names:
        suite.protocol(task)  # its error names the closest task
    share = -(-count // len(names)) if count else 0
    loaded, lists = {}, []
    for task in names:
        rows, references, solutions = _rows(suite, task, share, seed, data_dir)
        loaded[task] = _load(suite, task, rows, data_dir)
        chat = loaded[task].protocol.chat_template
        requests = loaded[task].requests(chat_template=template(backbone.tokenizer) if chat else None)
        problems = []
        for request, reference, solution in zip(requests, references, solutions, strict=True):
            prompt = str(request.args[0])
            teacher = with_reference(prompt, reference)
            name, doc = f"{task}/{request.doc_id}", dict(request.doc)
            problems.append(Problem(name, task, prompt, teacher, solution, doc, chat=bool(chat)))
        lists.append(problems)
    mixed = [problem for group in _turns(lists) for problem in group]
    return Problems(mixed[:count] if count else mixed, loaded)


def _turns(lists: list[list[Problem]]) -> list[list[Problem]]:
    longest = max(map(len, lists), default=0)
    return [[problems[index] for problems in lists if index < len(problems)] for index in range(longest)]


def _rows(
    suite: Suite, task: str, share: int, seed: int, data_dir: Path | None
) -> tuple[list[dict[str, Any]], list[str], list[str]]:
    """(rows, reference answers, gold solutions) of a task's training split."""
    from tasks import data
    from tasks.catalogue import dataset_of
    from tasks.mini import TASKS

    dataset = dataset_of(task)
    base = dataset.folder  # long_gsm8k asks what gsm8k asks
    if suite.data == "mini" and data_dir is None and base in TASKS:
        drawn = list(islice(TASKS[base].stream("train", seed + 1), share or MINI_PROBLEMS))
        rng = random.Random(f"solutions/{task}/{seed}")
        return [p.row for p in drawn], [p.reference for p in drawn], [p.answers(rng) for p in drawn]
    if not dataset.train:
        raise UserError(f"{task} has no training split here; train on gsm8k, or give --tasks that have one.")
    source = _source(suite, data_dir)
    rows = data.read(task, source, train=True).train
    rows = rows[:share] if share else rows
    gold = [dataset.answer(row) for row in rows]
    return rows, gold, gold


def _source(suite: Suite, data_dir: Path | None) -> Any:
    from tasks.data import Source

    if data_dir is not None:
        return Source("folder", data_dir)
    return Source(suite.data)


def _load(suite: Suite, task: str, rows: list[dict[str, Any]], data_dir: Path | None) -> Loaded:
    """The suite's task with training rows in place of its test rows, so that prompts and scores are its own."""
    from tasks import data, protocols
    from tasks.data import Rows
    from tasks.lm_task import RowsTask, config_of
    from tasks.loaded import Loaded

    protocol = protocols.get(suite.protocol(task))
    source = _source(suite, data_dir)
    shots = data.read(protocol.task, source, train=True).train if protocol.num_fewshot else []
    made = Rows(rows, shots, {"kind": suite.data, "split": "train"})
    lm_task = RowsTask(config_of(protocol), made)
    lm_task.set_fewshot_seed(1234)
    return Loaded(lm_task, protocol, source, made.fingerprint, made.origin, 1234)


def teacher_decoder(suite: Suite, arch: str, block: int) -> Callable[[float], Decoder]:
    """The teacher's decoder by temperature: the vanilla method at one token per forward, block by block.

    Behind the first EOS the canvas is filled with EOS instead of decoded: nobody reads it, and it is a third of the
    forwards.
    """
    from dataclasses import replace

    from methods import registry
    from methods.decoding import FillTail

    method = registry.get("vanilla")

    def build(temperature: float) -> Decoder:
        wanted: dict[str, Any] = dict(method.one_token)
        options = {"block_size": block, "block_length": block, "temperature": temperature}
        wanted |= {name: value for name, value in options.items() if name in method.params}
        if temperature and "temperature" not in method.params:
            raise UserError(f"The vanilla decoder has no temperature; temperature {temperature} cannot be used.")
        decoder: Decoder = method.build(method.settings(wanted), arch)
        return replace(decoder, stop=FillTail())

    return build


def training_rows(
    recipe: Recipe, suite: Suite, backbone: Backbone, folder: Path, *, tasks: Sequence[str], data_dir: Path | None
) -> list[Row]:
    """What a recipe trains on: recorded trajectories in `folder`, or gold answers.

    Says on stderr where the set was made otherwise than the recipe says; raises MethodsError when it was decoded from
    the other prompt.
    """
    from dataclasses import replace

    from methods.distill.shards import departures, load_rows
    from methods.distill.trainer import rank
    from methods.distill.trajectories import gold_rows

    common = recipe.common
    if common.data == "gold":
        count = default_problems(suite, recipe)
        problems = training_problems(suite, backbone, tasks=tasks, count=count, seed=common.seed, data_dir=data_dir)
        return gold_rows(backbone, problems.items, common.gen_length)
    for sentence in departures(folder, common):
        if rank() == 0:
            print(f"warning: {sentence}", file=sys.stderr)
    rows = load_rows(folder, backbone, correct_only=common.correct_only, same_teacher=common.same_teacher)
    if common.teacher_prompt == "plain":
        rows = [replace(row, teacher=row.prompt) for row in rows]
    return rows


def data_note(recipe: Recipe, folder: Path) -> dict[str, Any]:
    """What a manifest says of the trajectories it was trained on; {} for gold answers, which the recipe's keys make."""
    from methods.distill.shards import made_by

    return made_by(folder) if recipe.common.data == "trajectories" else {}


def parse_sets(values: Sequence[str]) -> dict[str, str]:
    """`key=value` pairs of --set. Raises UsageError for text without `=`."""
    pairs = {}
    for value in values:
        key, equals, text = value.partition("=")
        if not equals:
            raise UsageError(f"--set {value}: write key=value.")
        pairs[key.strip().replace("-", "_")] = text.strip()
    return pairs


def command_line() -> str:
    """This process's command, as one would type it."""
    return shlex.join(["harness", *sys.argv[1:]])


def commit() -> str | None:
    """The git commit of this checkout with `+` when files differ from it, None outside of one."""
    folder = Path(__file__).parent
    try:
        head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=folder, capture_output=True, text=True, timeout=10)
        dirty = subprocess.run(["git", "status", "--porcelain", "-uno"], cwd=folder, capture_output=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return None
    return head.stdout.strip() + ("+" if dirty.stdout.strip() else "") if head.returncode == 0 else None


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
