"""What a reader of MATH takes for the answer, and whether it is the gold one: math-verify behind a few rules.

math-verify 0.9.0 compares the set of all boxes of a text, reads no percent sign and no repeating decimal, takes the
right side of any equation, and rounds to six decimals; docs/protocols.md lists what these rules correct and what they
leave. Imports sympy, and may take long or never return on some answers: `tasks.mathchild` runs it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import sympy
from math_verify import parse, verify

from tasks.boxes import boxes, last_box
from tasks.numbers import number

TINY = 1e-3  # below this, six decimals cannot distinguish numbers
RELATIVE = 1e-4

_PERCENT = re.compile(r"\\?%|\\(?:text|mathrm|textrm)\s*\{\s*(?:\\?%|per\s?cent)\s*\}|\bper\s?cent\b", re.IGNORECASE)
_REPEATING = re.compile(r"(\d*)\.(\d*)(?:\\(?:overline|bar|dot)\s*(?:\{\s*(\d+)\s*\}|(\d)))(?!\s*[\d\\]dot)")
_RELATION = re.compile(r"<|>|\\(?:leq?|geq?|lt|gt|neq?|in|subset|equiv|leqslant|geqslant)\b|\u2264|\u2265|\u2260")
_BASE = re.compile(r"([0-9A-Za-z]+)\s*_\s*\{?\s*(?:\\text\s*\{\s*)?(\d+|[a-z]+)\s*\}*")
_STEPS = tuple(
    (re.compile(pattern), into)
    for pattern, into in (
        (r"^\$+|\$+$|^\\[(\[]|\\[)\]]$", ""),
        (r"(?<=\d)(?:\\,|\{,\}|,\\!|\\!,|~|\\ )\s?(?=\d{3}(?!\d))", ","),
        (r"^(-?\d{1,3}(?: \d{3})+(?:\.\d+)?)$", lambda match: match[1].replace(" ", "")),
        (r"^(-?\d+)\s+(\d+)\s*/\s*(\d+)$", r"\1\\frac{\2}{\3}"),
        (r"\.$", ""),
        ("\u00b0", r"^\\circ "),
        ("\\\\varnothing(?![A-Za-z])|\u2205", r"\\emptyset"),
    )
)


def judge(solution: str, text: str) -> tuple[bool, str | None]:
    """(whether a text's answer is that of the solution, the answer as it was compared).

    The answer is the last box alone; without one it is what math-verify finds in the text. None: there is none, or the
    last box was not closed. Of a solution with several boxes the last one, or all of them together, count.
    """
    box = last_box(text)
    found = box.content if box is not None else _without_box(text)
    if found is None:
        return False, None
    return any(same(gold, found) for gold in _golds(solution)), found


def _without_box(text: str) -> str | None:
    parsed = parse(text)
    return str(parsed[-1]) if parsed else None


def _golds(solution: str) -> Iterator[str]:
    found = [box.content for box in boxes(solution) if box.content is not None]
    yield from found[-1:]
    if len(found) > 1:
        yield ", ".join(found)


def same(gold: str, answer: str) -> bool:
    """Whether two contents of a box are one answer."""
    gold, answer = _tidy(gold), _tidy(answer)
    if gold == answer:
        return bool(gold)
    return any(_same_side(*pair) for pair in _percents(gold, answer))


def _tidy(text: str) -> str:
    text = text.strip()
    for pattern, into in _STEPS:
        text = pattern.sub(into, text).strip()
    return _REPEATING.sub(_fraction, text)


def _fraction(match: re.Match[str]) -> str:
    whole, fixed, repeated = match[1] or "0", match[2], match[3] or match[4]
    top = int(whole + fixed + repeated) - int(whole + fixed)
    return rf"\frac{{{top}}}{{{(10 ** len(repeated) - 1) * 10 ** len(fixed)}}}"


def _percents(gold: str, answer: str) -> Iterator[tuple[str, str]]:
    """The pairs that have to be compared: `50\\%` is 0.5, and 50 where the question asks for a percentage."""
    bare_gold, bare = _PERCENT.sub("", gold).strip(), _PERCENT.sub("", answer).strip()
    of_gold, of_answer = bare_gold != gold, bare != answer
    if of_gold == of_answer:
        yield bare_gold, bare
        return
    if of_gold:
        yield bare_gold, bare
        yield rf"\frac{{{bare_gold}}}{{100}}", bare
        return
    yield gold, rf"\frac{{{bare}}}{{100}}"
    size = number(gold)
    if size is None or abs(size) >= 1:
        yield gold, bare


def _same_side(gold: str, answer: str) -> bool:
    """Compare two answers of which one may be an equation that names the other: `x = 5`, `5`."""
    sides_of_gold, sides = _sides(gold), _sides(answer)
    if (len(sides_of_gold) > 1) != (len(sides) > 1):
        named_gold, named = _named(sides_of_gold), _named(sides)
        if named_gold is None or named is None:
            return False
        gold, answer = named_gold, named
    based = _same_base(gold, answer)
    if based is not None:
        return based
    if _kind(gold) == "pair" and _kind(answer) == "list":
        answer = f"({answer})"
    if {_kind(gold), _kind(answer)} == {"pair", "set"}:
        return False
    return _verified(gold, answer)


def _split(text: str, at: str) -> list[str]:
    """The parts of a text between characters that stand in no brackets."""
    parts, depth, start = [], 0, 0
    for place, char in enumerate(text):
        depth += (char in "([{") - (char in ")]}")
        if char == at and depth <= 0:
            parts.append(text[start:place].strip())
            start = place + 1
    return [*parts, text[start:].strip()]


def _sides(text: str) -> list[str]:
    """The sides of a single equation; the whole text if it is none, or a list of several."""
    sides = _split(text, "=")
    if len(sides) == 1 or len(_split(text, ",")) > 1 or _RELATION.search(text) or re.search(r"\bor\b|\band\b", text):
        return [text]
    return sides


def _named(sides: list[str]) -> str | None:
    """The value that an equation gives a name, or that all its sides have; None if it says something else."""
    if len(sides) == 1:
        return sides[0]
    values = [side for side in sides if not _is_name(side)]
    if not values:
        return sides[-1]
    return values[-1] if all(_verified(value, values[-1]) for value in values[:-1]) else None


def _is_name(text: str) -> bool:
    """Whether a side of an equation is a name (`x`, `f(2)`, `\\angle ABC`, `a_1`), not something to work out."""
    if re.fullmatch(r"\\(?:text|mathrm|textbf)\s*\{[^{}]*\}", text):
        return True
    bare = re.sub(r"_\s*(?:\{[^{}]*\}|\w)|\^\s*\{?\s*-1\s*\}?|'|(?<=[A-Za-z}])\s*(?:\\left)?\([^()]*\)", "", text)
    bare = re.sub(r"\\(?:pi|infty|i)\b|\\[dt]?frac|\\sqrt|\\cdot|\\times|\\pm", "0", bare)
    return bool(re.search(r"[A-Za-z]", bare)) and not re.search(r"[\d+\-*/^!%]", bare)


def _same_base(gold: str, answer: str) -> bool | None:
    """Whether two numerals are one where the gold one names its base; None if it does not."""
    gold_match, match = _BASE.fullmatch(gold), _BASE.fullmatch(answer)
    if gold_match is None or not re.search(r"\d", gold_match[1]):
        return None
    digits = match[1] if match else re.sub(r"[\s,]", "", answer)
    return digits.lstrip("0").upper() == gold_match[1].lstrip("0").upper() and (
        match is None or match[2] == gold_match[2]
    )


def _kind(text: str) -> str:
    bare = re.sub(r"\\left|\\right|\\,|\\ ", "", text).strip()
    parts = len(_split(bare, ",")) > 1
    inner = len(_split(bare[1:-1], ",")) > 1
    if bare.startswith("(") and bare.endswith(")") and inner and not parts:
        return "pair"
    if bare.startswith("\\{") and bare.endswith("\\}"):
        return "set"
    return "list" if parts else "one"


def _verified(gold: str, answer: str) -> bool:
    left, right = (parse(rf"\boxed{{{text}}}") for text in (gold, answer))
    if not verify(left, right, allow_set_relation_comp=True):
        return False
    return not _differ(left[0], right[0])


def _differ(one: Any, other: Any) -> bool:
    """Whether two numbers that agree in six decimals are different ones all the same."""
    if not all(isinstance(value, sympy.Expr) and value.is_number for value in (one, other)):
        return False
    size = max(abs(sympy.N(value, 20)) for value in (one, other))
    return bool(0 < size < TINY and abs(sympy.N(one - other, 20)) > RELATIVE * size)
