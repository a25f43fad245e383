"""MATH answers: our own gold solutions score, near misses do not, and nothing hangs or needs a main thread."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from tasks import mathscore

ROWS = [json.loads(line) for line in (Path(__file__).parents[1] / "data" / "math_gold.jsonl").read_text().splitlines()]


# lm-eval's exact_match parses a bare list up to its first comma, so that "2, 4" equals "2, 3"; math_verify does not.
# When upstream fixes it, this test fails.
UPSTREAM_TAKES = {"list"}


def doc_of(row: dict[str, Any]) -> dict[str, str]:
    from lm_eval.tasks.minerva_math.utils import last_boxed_only_string, normalize_final_answer, remove_boxed

    answer = normalize_final_answer(remove_boxed(last_boxed_only_string(row["solution"])))
    return {"solution": row["solution"], "answer": answer}


def written(row: dict[str, Any], answer: str) -> str:
    """A worked solution in the form that both metrics read."""
    last = f"Final Answer: The final answer is ${answer}$. I hope it is correct."
    return f"{row['work']} The answer is $\\boxed{{{answer}}}$.\n{last}"


def test_the_set_covers_what_it_should() -> None:
    kinds = {row["kind"] for row in ROWS}
    assert {"fraction", "interval", "set", "matrix", "unit", "text", "nested"} <= kinds
    assert len(ROWS) >= 60


def test_gold_solutions_score_and_near_misses_do_not() -> None:
    wrong = []
    for row in ROWS:
        doc = doc_of(row)
        gold = mathscore.process_results(doc, [written(row, row["answer"])])
        boxed = mathscore.process_boxed(doc, [row["solution"]])
        miss = mathscore.process_boxed(doc, [written(row, row["near_miss"])])
        allowed = {"math_verify": 0.0, "exact_match": float(row["kind"] in UPSTREAM_TAKES)}
        if gold != {"exact_match": 1, "math_verify": 1} or boxed["math_verify"] != 1 or miss != allowed:
            wrong.append((row["kind"], row["answer"], gold, boxed, row["near_miss"], miss))
    assert wrong == []


def test_other_threads_score_the_same() -> None:
    doc = doc_of(ROWS[0])
    found: list[mathscore.Judged] = []
    thread = threading.Thread(
        target=lambda: found.append(mathscore.Child().score(doc, written(ROWS[0], "\\frac{14}{24}")))
    )
    thread.start()
    thread.join()
    assert [one.metrics for one in found] == [{"exact_match": 1.0, "math_verify": 1.0}]


def test_a_comparison_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    child = mathscore.Child()
    doc = doc_of(ROWS[0])
    assert child.score(doc, ROWS[0]["solution"]).math_verify == 1.0
    start = time.monotonic()
    ended = child.score(doc, "x" * 10 + ROWS[0]["solution"], seconds=0.0)
    assert ended == mathscore.Judged(0.0, 0.0, "\\frac{7}{12}")
    assert time.monotonic() - start < 10
    assert child.score(doc, ROWS[0]["solution"]).math_verify == 1.0  # with a new process
    child.close()


HOSTILE = ["\\boxed{" * 500, "\\boxed{9^{9^{9^{9^{9}}}}}", "$\\frac{1}{0}$", "\0\ud800 \\boxed{1}", "", "\\boxed{}",
           "\\boxed{\\int_0^1 x^{x^{x}} dx}", "\\boxed " + "(" * 2000]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_answers_are_wrong_answers(text: str) -> None:
    for process in (mathscore.process_results, mathscore.process_boxed):
        assert process(doc_of(ROWS[0]), [text]) == {"exact_match": 0.0, "math_verify": 0.0}
