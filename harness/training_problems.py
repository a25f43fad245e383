"""Training problems of a suite: prompts as its protocols make them, reference answers, gold solutions and a scorer."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import UserError
from harness.suites import Suite
from harness.text import Reader

if TYPE_CHECKING:
    from methods.backbones import Backbone
    from methods.distill.problems import Problem
    from tasks.loading import Loaded

# generated tasks have no end: of all tasks together for gold answers, of every task for `harness trajectories`
MINI_PROBLEMS = 1600


@dataclass
class Problems:
    """Training problems of a suite, and their tasks by name."""

    items: list[Problem]
    loaded: dict[str, Loaded]


def grade(loaded: Mapping[str, Loaded], reader: Reader, problem: Problem, ids: Sequence[int]) -> tuple[str, bool]:
    """(the text of a response that is scored, whether it is correct), as `harness run` keeps and scores it."""
    from tasks.scoring import score

    task = loaded[problem.task]
    kept = reader.keep(ids, reader.pieces(ids), task.protocol.until, task.protocol.eos_policy)
    return kept.text, score(task, problem.doc, kept.text).correct


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
    from harness.runner.prompts import template
    from methods.distill.problems import Problem
    from methods.distill.prompts import with_reference

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
    from tasks.loading import Loaded

    protocol = protocols.get(suite.protocol(task))
    source = _source(suite, data_dir)
    shots = data.read(protocol.task, source, train=True).train if protocol.num_fewshot else []
    made = Rows(rows, shots, {"kind": suite.data, "split": "train"})
    lm_task = RowsTask(config_of(protocol), made)
    lm_task.set_fewshot_seed(1234)
    return Loaded(lm_task, protocol, source, made.fingerprint, made.origin, 1234)
