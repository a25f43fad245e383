"""The problems that a suite hands to the trainers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import tasks
from harness.errors import UsageError
from harness.suites import load_suite
from harness.text import Reader
from harness.training_problems import _rows, grade, training_problems
from methods.backbones import load
from methods.distill.problems import Problem
from methods.distill.prompts import with_reference
from tasks import protocols
from tasks.data import Source
from tasks.mini import TASKS
from tests.distill import tiny

ROWS = Source("folder", Path(__file__).parents[1] / "data" / "rows")


def test_long_gsm8k_learns_from_the_answers_of_gsm8k(tmp_path: Path) -> None:
    lines = [json.dumps({"question": f"{n}+1?", "answer": f"so\n#### {n + 1}"}) for n in range(3)]
    (tmp_path / "gsm8k").mkdir()
    for split in ("train", "test"):
        (tmp_path / "gsm8k" / f"{split}.jsonl").write_text("\n".join(lines) + "\n")
    rows, references, solutions = _rows(load_suite("llada"), "long_gsm8k", 2, 0, tmp_path)
    assert len(rows) == 2
    assert references == solutions == ["so\n#### 1", "so\n#### 2"]


def test_a_task_that_the_suite_does_not_have_is_named() -> None:
    with pytest.raises(UsageError, match="Did you mean 'gsm8k'"):
        training_problems(load_suite("mini"), tiny.backbone(), tasks=["gsm"], count=2)


def test_a_mini_prompt_is_plain_text_to_the_privileged_prompt() -> None:
    """Pretraining and trajectories share the function, so the base has seen the wording it is decoded with."""
    for name, task in TASKS.items():
        question = next(iter(task.stream("train", 1))).prompt
        assert with_reference(question, "7") == f"Reference Answer: 7\n\n{question}", name


@pytest.mark.parametrize(
    ("task", "text", "tail", "scored", "right"),
    [
        ("llada-fair/gsm8k", "$\\boxed{18}$.", "", "$\\boxed{18}$.", True),
        ("llada-fair/gsm8k", "Question: again? \\boxed{18.00}", "", "Question: again? \\boxed{18.00}", True),
        ("llada-fair/gsm8k", "\\boxed{19}, not 18", "", "\\boxed{19}, not 18", False),
        ("llada-fair/gsm8k", "", "\\boxed{18}", "", False),
        ("mini/gsm8k", "so\n#### 18\n\nQuestion: next\n#### 3", "", "so\n#### 18\n", True),
    ],
)
def test_a_trajectory_is_graded_as_a_run_is(task: str, text: str, tail: str, scored: str, right: bool) -> None:
    """Up to the first EOS, cut at the protocol's stop strings; `tail` comes after an EOS."""
    loaded = tasks.load(protocols.get(task), ROWS)
    backbone = load("package:mini/base", device="cpu")
    reader = Reader(backbone.tokenizer, backbone.special, backbone.arch)
    ids = [*reader.encode(text), backbone.special.eos[0], *reader.encode(tail), backbone.special.eos[0]]
    problem = Problem("gsm8k/0", "gsm8k", "", "", "", loaded.docs[0], chat=True)
    assert grade({"gsm8k": loaded}, reader, problem, ids) == (scored, right)
