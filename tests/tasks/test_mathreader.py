"""MATH's reader: pairs of answers that are one answer, and pairs that are not, where math-verify says otherwise."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tasks.mathreader import judge, same

SHARED = Path(__file__).parents[3] / "shared" / "scoring" / "math.jsonl"

SAME = [
    *[("50\\%", "50\\%"), ("50", "50\\%"), ("50\\%", "50"), ("50\\%", "0.5"), ("0.5", "50\\%"), ("\\frac12", "50\\%")],
    *[("25\\%", "25\\text{ percent}"), ("25", "25\\text{ percent}"), ("12.5\\%", "\\frac{1}{8}")],
    *[("5", "x=5"), ("5", "5=x"), ("x=5", "5"), ("5", "a=b=5"), ("5", "f(2)=5"), ("5", "2+3=5"), ("5", "5=5")],
    *[("30", "\\angle ABC = 30^\\circ"), ("12", "\\text{Area} = 12"), ("2x+1", "y=2x+1"), ("y=2x+1", "2x+1")],
    *[("y=2x+1", "y-2x-1=0"), ("3,5", "x=3\\text{ or }x=5"), ("3,5", "5,3"), ("\\pm3", "3,-3")],
    *[("(5,\\infty)", "x>5"), ("x>5", "(5,\\infty)"), ("[1,2]", "1\\le x\\le 2"), ("1\\le x\\le 2", "[1,2]")],
    *[("0.\\overline{3}", "\\frac13"), ("\\frac13", "0.\\overline{3}"), ("\\frac16", "0.1\\overline{6}")],
    *[("0.\\overline{3}", "0.\\bar{3}"), ("\\frac{1}{2004!}", "\\frac{1}{2004!}"), ("10^{-20}", "\\frac{1}{10^{20}}")],
    *[("10000", "10\\,000"), ("10,\\!000", "10000"), ("10000", "10{,}000"), ("10000", "10 000"), ("\\frac95", "1 4/5")],
    *[("12_8", "12_{8}"), ("12_8", "12"), ("(1,2)", "(1,2)"), ("(1,2)", "1,2"), ("\\{1,2\\}", "2,1")],
    *[("\\text{even}", "even"), ("5", "5\\text{ cm}^2"), ("90^\\circ", "90"), ("\\$5", "5.00"), ("\\frac34", "3/4")],
    *[("70^\\circ", "70\u00b0"), ("70", "70\u00b0"), ("\\emptyset", "\\varnothing"), ("\\emptyset", "\u2205")],
    *[("A", "\\textbf{(A)}"), ("4", "$4$"), ("(x-1)(x+1)", "x^2-1"), ("\\frac{\\sqrt2}{2}", "\\frac{1}{\\sqrt{2}}")],
]
DIFFERENT = [
    *[
        ("5", "2+2=5"),
        ("5", "1=5"),
        ("5", "x>5"),
        ("x>5", "5"),
        ("5", "x \\ne 5"),
        ("x>5", "x\\ge5"),
        ("25", "x^2+y^2=25"),
    ],
    *[("x^2+y^2=25", "25"), ("y=2x+1", "y=2x+2"), ("\\frac{1}{2004!}", "\\frac{1}{2006!}"), ("10^{-20}", "10^{-21}")],
    *[("0.0000001", "0.0000002"), ("10^{-20}", "0"), ("0.\\overline{3}", "0"), ("\\frac13", "0.333"), ("12_8", "12_9")],
    *[("12_8", "10"), ("(1,2)", "[1,2]"), ("(1,2)", "\\{1,2\\}"), ("(1,2)", "(2,1)"), ("(1,2)", "2,1"), ("4", "2+3")],
    *[
        ("50\\%", "0.05"),
        ("50", "0.5"),
        ("0.5", "0.5\\%"),
        ("5", "50\\%"),
        ("\\text{even}", "\\text{odd}"),
        ("3", "-3"),
    ],
    *[("\\pm3", "3"), ("3,5", "3"), ("3", "3,5"), ("x", "y"), ("\\pi", "3.14"), ("10000", "10,0000"), ("5", "")],
]


@pytest.mark.parametrize(("gold", "answer"), SAME)
def test_one_answer(gold: str, answer: str) -> None:
    assert same(gold, answer)


@pytest.mark.parametrize(("gold", "answer"), DIFFERENT)
def test_two_answers(gold: str, answer: str) -> None:
    assert not same(gold, answer)


def test_the_last_box_alone_counts() -> None:
    solution = "So the answer is $\\boxed{4}$."
    found = {
        "We get \\boxed{3}. Hence \\boxed{4}": (True, "4"),
        "We get \\boxed{4}. Hence \\boxed{3}": (False, "3"),
        "It is $\\boxed{4}$. Now $\\boxed{": (False, None),
        "The final answer is $4$.": (True, "4"),
        "so the answer is 4": (True, "4"),
        "\\boxed{5}, though 4 is close": (False, "5"),
        "I do not know.": (False, None),
        "Put it in \\boxed{}. The answer is 4.": (True, "4"),
    }
    assert {text: judge(solution, text) for text in found} == found


def test_a_solution_with_several_boxes_takes_the_last_or_all() -> None:
    solution = "So $x=\\boxed{2}$ or $x=\\boxed{3}$."
    assert [judge(solution, f"\\boxed{{{answer}}}")[0] for answer in ("2, 3", "3", "2", "4")] == [
        True,
        True,
        False,
        False,
    ]


@pytest.mark.skipif(not SHARED.exists(), reason="the shared texts are not beside the repository")
def test_the_shared_texts_get_their_verdict() -> None:
    rows = [json.loads(line) for line in SHARED.read_text().splitlines()]
    wrong = [row for row in rows if judge(f"So $\\boxed{{{row['gold']}}}$.", row["text"])[0] != row["correct"]]
    assert wrong == []
