"""GSM8K's reader: every way to write a number, against every way to write another one."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks import gsm8kscore
from tasks.boxes import boxes
from tasks.numbers import in_words, number, written
from tests.tasks.gsm8k_forms import LARGE, OTHER, RIGHT, SEPARATORS

SHARED = Path(__file__).parents[3] / "shared"
GOLD = SHARED / "data" / "gsm8k" / "test.jsonl"
NUMBERS = [18, 540, 26, 3, 0, 7425, 1200, 2125, 1450000, 100, 71]


def grouped(value: int, separator: str = ",") -> str:
    return f"{value:,}".replace(",", separator)


def form(template: str, value: int, separator: str = ",") -> str:
    """A template with a number; `{m}` is another number."""
    return template.format(n=value, g=grouped(value, separator), m=2 * value + 1)


def right(text: str, value: int) -> bool:
    found = gsm8kscore.answer(text)
    return gsm8kscore.exact_match([f"9 * 2 = 18\n#### {grouped(value)}"], [found or gsm8kscore.INVALID]) == 1.0


@pytest.mark.parametrize("template", RIGHT)
def test_every_form_gives_its_number(template: str) -> None:
    wrong = [text for value in NUMBERS if not right(text := form(template, value), value)]
    assert wrong == []


@pytest.mark.parametrize("template", OTHER)
def test_other_answers_are_wrong(template: str) -> None:
    wrong = [text for value in NUMBERS if value and right(text := form(template, value), value)]
    assert wrong == []


@pytest.mark.parametrize("template", LARGE)
@pytest.mark.parametrize("separator", SEPARATORS)
def test_thousands_separators(template: str, separator: str) -> None:
    for value in (1200, 65960, 1450000):
        assert right(form(template, value, separator), value)


@pytest.mark.skipif(not GOLD.exists(), reason="the real data sets are not beside the repository")
def test_every_form_of_all_real_gold_numbers() -> None:
    rows = [json.loads(line)["answer"] for line in GOLD.read_text().splitlines()]
    values = sorted({int(row.rpartition("####")[2].replace(",", "")) for row in rows})
    assert len(rows) == 1319
    wrong = [text for template in RIGHT[::3] for value in values if not right(text := form(template, value), value)]
    assert wrong == []


@pytest.mark.skipif(not GOLD.exists(), reason="the shared texts are not beside the repository")
def test_the_shared_texts_get_their_verdict() -> None:
    rows = [json.loads(line) for line in (SHARED / "scoring" / "gsm8k.jsonl").read_text().splitlines()]
    assert [row for row in rows if right(row["text"], int(row["gold"])) != row["correct"]] == []


EXPRESSIONS = {
    "2\\frac{1}{2}": Fraction(5, 2),
    "2 1/2": Fraction(5, 2),
    "2\u00bd": Fraction(5, 2),
    "\\frac12": Fraction(1, 2),
    ".5": Fraction(1, 2),
    "1.5 million": 1_500_000,
    "\\$15k": 15_000,
    "1.5 \\times 10^{3}": 1500,
    "1,50,000": 150_000,
    "3:00 PM": 3,
    "3:30 PM": None,
    "2 \\frac{1}{2}": Fraction(5, 2),
    "2\\text{ and }\\frac{1}{2}": Fraction(5, 2),
    "{1 \\over 2}": Fraction(1, 2),
    "1.500,00": 1500,
    "1.234.567": 1_234_567,
    "\\text{negative } 5": -5,
    "\\text{minus } 5": -5,
    "9 minus 5": None,
    "one half": None,
    "-\\$4": -4,
    "\u22124": -4,
    "- 4": -4,
    "\uff11\uff18": 18,
    "twenty-four dollars": 24,
    "two hundred and five": 205,
    "three thousand one hundred": 3100,
    "one or two": None,
    "3/0": None,
    "x + 2": None,
    "2^3": None,
    "x = 1, y = 2": None,
    "9 * 2": None,
    "18 eggs and 2 hens": None,
    "": None,
}


@pytest.mark.parametrize("text", EXPRESSIONS)
def test_expressions(text: str) -> None:
    assert number(text) == EXPRESSIONS[text]


def test_numbers_in_words() -> None:
    assert in_words("no number") is None
    assert [in_words(text) for text in ("zero", "ninety-nine", "one million", "a dozen")] == [0, 99, 1_000_000, None]


# text -> the answer of a careful reader
SPELLED_OUT = {
    "The answer is three.": "3",
    "#### three": "3",
    "The answer is twenty-one eggs, 3 more than 18.": "21",
    "The answer is one.": "1",
    "The answer is one of these: 18": "18",
    "9 minus 5 is 4": "4",
    "It is negative 5": "-5",
    "The answer is 2 and 1/2.": "2.5",
    "Step 2\n1/2 of them": "0.5",
    "She has one half": None,
}


@pytest.mark.parametrize("text", SPELLED_OUT)
def test_numbers_in_words_and_signs(text: str) -> None:
    assert gsm8kscore.answer(text) == SPELLED_OUT[text]


@settings(max_examples=300, deadline=None)
@given(st.fractions(max_denominator=400, min_value=-(10**7), max_value=10**7))
def test_the_canonical_form_is_read_back(value: Fraction) -> None:
    assert number(written(value)) == value
    assert gsm8kscore.answer(f"So \\boxed{{{written(value)}}}.") == written(value)


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="18 .,$-{}\\boxed#=answer is/%*^\n", max_size=60))
def test_whatever_is_read_is_scored(text: str) -> None:
    """No text raises, and what is found in the last box is what is found in the text."""
    found = gsm8kscore.answer(text)
    assert gsm8kscore.exact_match(["#### 18"], [found or gsm8kscore.INVALID]) in (0.0, 1.0)
    if boxes(text):
        assert found == gsm8kscore.boxed_answer(text)


def test_boxes() -> None:
    text = (
        r"\boxed{1} \boxed{\{2\}} \boxed{\frac{1}{2}} \boxed{\boxed{3}} \boxed{} \boxed{your answer} \boxed 4, \boxed{5"
    )
    assert [box.content for box in boxes(text)] == ["1", r"\{2\}", r"\frac{1}{2}", "3", "4", None]
    assert [box.content for box in boxes(r"\boxed{1 \boxed{2}")] == [None, "2"]


def test_hostile_text_does_no_harm() -> None:
    for text in (
        "\\boxed{" * 2000,
        "1" * 5000,
        "1," * 3000,
        "$" * 5000,
        "1/" * 2000,
        "the answer is " * 800,
        "{" * 9000,
    ):
        gsm8kscore.answer(text)
