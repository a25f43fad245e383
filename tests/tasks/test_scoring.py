"""Scores of single samples: strict and flexible side by side, what was extracted, and gold answers at 100 %."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import tasks
from tasks import codescore, protocols
from tasks.data import Source
from tasks.gold import cut, gold
from tasks.loading import Loaded
from tasks.scoring import score

ROWS = Source("folder", Path(__file__).parents[1] / "data" / "rows")


def loaded(name: str, source: Source = ROWS) -> Loaded:
    return tasks.load(protocols.get(name), source)


GSM8K = [  # text, extracted, outcome, strict, flexible
    ("16 - 3 - 4 = 9, 9 * 2 = 18.\n#### 18", "18", "correct", True, True),
    ("She makes $18.", "$18.", "correct", False, True),
    ("#### 18\nor maybe 19", "19", "wrong", True, False),
    ("The answer is \\boxed{18}.", "18", "correct", False, True),
    ("It is 1,8", "1,8", "correct", False, True),
    ("I do not know.", None, "no_answer", False, False),
    ("", None, "no_answer", False, False),
    ("-18", "-18", "wrong", False, False),
]


@pytest.mark.parametrize(("text", "extracted", "outcome", "strict", "flexible"), GSM8K)
def test_gsm8k(text: str, extracted: str | None, outcome: str, strict: bool, flexible: bool) -> None:
    task = loaded("llada-fair/gsm8k")
    said = score(task, task.docs[0], text)
    assert (said.extracted, said.outcome, said.strict, said.flexible) == (extracted, outcome, strict, flexible)
    assert said.correct == flexible
    assert set(said.metrics) == {"exact_match,strict-match", "exact_match,flexible-extract"}


def test_code_is_scored_strict_and_sanitised() -> None:
    task = loaded("llada-fair/humaneval")
    doc = task.docs[0]
    solution = doc["canonical_solution"]
    plain = score(task, doc, solution)
    assert (plain.outcome, plain.correct, plain.strict, plain.flexible) == ("passed", True, True, True)
    fenced = score(task, doc, f"Here:\n```python\n{doc['prompt']}{solution}\n```")
    assert (fenced.outcome, fenced.correct, fenced.strict, fenced.flexible) == ("passed", True, False, True)
    assert str(fenced.extracted).startswith("from typing import List")
    nothing = score(task, doc, "I would rather not.")
    assert (nothing.extracted, nothing.outcome, nothing.correct) == (None, "no_code", False)
    wrong = score(task, doc, "    return None\n")
    assert (wrong.outcome, wrong.correct) == ("failed", False)
    assert "AssertionError" in wrong.detail


def test_the_same_program_is_run_once(monkeypatch: pytest.MonkeyPatch) -> None:
    runs: list[str] = []
    original = codescore.sandbox.check
    monkeypatch.setattr(codescore.sandbox, "check", lambda *a, **k: (runs.append(a[0]), original(*a, **k))[1])
    task = loaded("llada-fair/mbpp")
    text = task.docs[0]["code"].replace("remove_Occ", "remove_Occ") + "\n\n\nonce = 1\n"
    assert score(task, task.docs[0], text).outcome == "passed"
    seen = len(runs)
    assert score(task, task.docs[0], text).outcome == "passed"
    assert len(runs) == seen <= 2


def test_mbpp_setup_code_and_classes_reach_the_program() -> None:
    task = loaded("llada-fair/mbpp")
    for doc in task.docs:
        if doc["test_setup_code"]:
            assert score(task, doc, doc["code"]).outcome == "passed"


@pytest.mark.parametrize("name", [n for n in protocols.ids() if "fair" in n or "d3llm" in n])
def test_gold_answers_of_the_small_rows_score(name: str) -> None:
    result = gold(loaded(name))
    assert result["failures"] == []
    assert (result["correct"], result["accuracy"]) == (result["n"], 100.0)


@pytest.mark.parametrize("name", ["gsm8k", "math", "humaneval", "mbpp"])
def test_gold_answers_of_the_mini_tasks_score(name: str) -> None:
    result = gold(loaded(f"mini/{name}", Source("mini")), limit=500 if name == "gsm8k" else 8)
    assert result["failures"] == []
    assert result["n"] in (500, 8)


def test_gold_names_what_fails() -> None:
    task = loaded("llada-fair/gsm8k")
    task.docs[1]["answer"] = "no number"
    result = gold(task)
    assert (result["correct"], result["n"], [failure["doc_id"] for failure in result["failures"]]) == (2, 3, [1])


def test_cut() -> None:
    assert cut("a STOP b END", ["END", "STOP"]) == "a "
    assert cut("a", []) == "a"


def test_mbpp_plus_runs_the_plus_suite_and_mbpp_over_its_rows_the_base_asserts() -> None:
    """The base asserts ask for 2, -1 and 0 only; the suite asks for more, with numpy and the row's imports."""
    answers = {
        "right": "def double(x):\n    return x + x",
        "narrow": "def double(x):\n    return {2: 4, -1: -2, 0: 0}[x]",
    }
    found = {}
    for task in ("mbpp", "mbpp_plus"):
        asked = loaded(f"dream_coder-d3llm/{task}")
        assert asked.docs[0]["prompt"] == "Write a function to double a number."
        assert ("test" in asked.docs[0]) == (task == "mbpp_plus")
        for name, text in answers.items():
            found[task, name] = score(asked, asked.docs[0], text).outcome
            assert codescore.entries_of(asked.docs[0]) == ["double"]
    assert found.pop(("mbpp_plus", "narrow")) == "failed"
    assert set(found.values()) == {"passed"}


def test_importing_and_listing_needs_neither_lm_eval_nor_torch() -> None:
    code = (
        "import sys, tasks\nassert 'gsm8k' in tasks.names()\n"
        "tasks.protocols.get('mini/gsm8k'); tasks.sandbox.check\n"
        "assert not {'torch', 'lm_eval', 'transformers', 'datasets'} & set(sys.modules), sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_loading_a_task_does_not_import_torch() -> None:
    code = (
        "import sys, tasks\nfrom tasks.data import Source\n"
        "loaded = tasks.load(tasks.protocols.get('mini/mbpp'), Source('mini'))\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120, env={"HF_HUB_OFFLINE": "1", "PATH": ""})
