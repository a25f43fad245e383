"""Scores of single samples: strict and flexible side by side, what was extracted, and gold answers at 100 %."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import tasks
from tasks import codescore, protocols
from tasks.data import Source
from tasks.gold import gold
from tasks.loading import Loaded
from tasks.scoring import score
from tasks.stops import first_stop

ROWS = Source("folder", Path(__file__).parents[1] / "data" / "rows")


def loaded(name: str, source: Source = ROWS) -> Loaded:
    return tasks.load(protocols.get(name), source)


# text, extracted, outcome, strict (in the last box)
GSM8K = [
    ("16 - 3 - 4 = 9, 9 * 2 = 18.\n#### 18", "18", "correct", False),
    ("She makes $18.", "18", "correct", False),
    ("#### 18\nor maybe 19", "18", "correct", False),
    ("The answer is \\boxed{18}.", "18", "correct", True),
    ("The answer is $\\boxed{18.00}$.", "18", "correct", True),
    ("\\boxed{19}, not 18", "19", "wrong", False),
    ("\\boxed{18}. Or rather \\boxed{1", None, "no_answer", False),
    ("\\boxed{\\text{many}}", "\\text{many}", "wrong", False),
    ("It is 1,8", "1.8", "wrong", False),
    ("I do not know.", None, "no_answer", False),
    ("...", None, "no_answer", False),
    ("", None, "no_answer", False),
    ("-18", "-18", "wrong", False),
]


@pytest.mark.parametrize(("text", "extracted", "outcome", "strict"), GSM8K)
@pytest.mark.parametrize("name", ["llada-fair", "dream-fair", "tiny_a2d-fair"])
def test_gsm8k(name: str, text: str, extracted: str | None, outcome: str, strict: bool) -> None:
    task = loaded(f"{name}/gsm8k")
    said = score(task, task.docs[0], text)
    assert (said.extracted, said.outcome, said.strict) == (extracted, outcome, strict)
    assert said.correct == said.flexible == (outcome == "correct")
    assert set(said.metrics) == {"exact_match,strict-match", "exact_match,reader"}


def test_strict_stays_the_marked_number_where_the_prompt_shows_the_mark() -> None:
    for name, source in (("llada-fair/long_gsm8k", ROWS), ("mini/gsm8k", Source("mini"))):
        task = loaded(name, source)
        gold = task.docs[0]["answer"].rpartition("####")[2].strip()
        both, marked = score(task, task.docs[0], f"It is {gold}."), score(task, task.docs[0], f"#### {gold}")
        assert [(one.correct, one.strict) for one in (both, marked)] == [(True, False), (True, True)]


PAPERS = {"$\\boxed{18}$.": (False, "$."), "\\boxed{18}": (True, "18"), "\\boxed{18} cm^2": (False, "2")}


@pytest.mark.parametrize("name", ["llada-tad", "dream-tad", "llada-d3llm", "dream-d3llm"])
def test_the_protocols_of_the_papers_keep_upstreams_filter(name: str) -> None:
    task = loaded(f"{name}/gsm8k")
    found = {text: score(task, task.docs[0], text) for text in PAPERS}
    assert {text: (value.correct, value.extracted) for text, value in found.items()} == PAPERS


MATH = [  # text, (correct, extracted) under the fair protocol, under TAD's; the gold answer is 7/12
    ("so the answer is 4", (False, "4"), (False, "4")),
    ("so the answer is 7/12", (True, "7/12"), (True, "7/12")),
    ("\\boxed{3}. Hence \\boxed{\\frac{7}{12}}", (True, "\\frac{7}{12}"), (False, "3,\\frac{7}{12}")),
    ("\\boxed{\\frac{7}{12}}. Now \\boxed{", (False, None), (True, "\\frac{7}{12}")),
    ("I do not know.", (False, None), (False, None)),
]


@pytest.mark.parametrize(("text", "fair", "paper"), MATH)
def test_what_math_shows_is_what_was_compared(
    text: str, fair: tuple[bool, str | None], paper: tuple[bool, str | None]
) -> None:
    for name, expected in (("llada-fair", fair), ("llada-tad", paper)):
        task = loaded(f"{name}/math")
        said = score(task, task.docs[0], text)
        assert (said.correct, said.extracted) == expected
        assert said.outcome == ("correct" if said.correct else "wrong" if said.extracted else "no_answer")


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


def test_the_earliest_stop_string_ends_a_text() -> None:
    assert first_stop("a STOP b END", ["END", "", "STOP"]) == 2
    assert first_stop("a", []) == 1


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
