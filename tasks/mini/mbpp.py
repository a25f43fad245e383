"""Mini MBPP: write a function over a string from one sentence and three asserts."""

from __future__ import annotations

import random

from tasks.mini.humaneval import run
from tasks.mini.problem import Problem

NAMES = ("change_text", "edit_word", "convert", "make_string", "rewrite", "update_text", "format_word", "build")
INPUTS = ("banana", "Hello World", "abc", "Time flies", "success", "Python")
LETTERS = "abcdehilnorst"

OPS: list[tuple[str, str]] = [  # words, expression in s
    ("reverse it", "s[::-1]"),
    ("make it upper case", "s.upper()"),
    ("make it lower case", "s.lower()"),
    ("swap its case", "s.swapcase()"),
]
OPS += [(f"keep the first {k} letters", f"s[:{k}]") for k in range(1, 7)]
OPS += [(f"keep the last {k} letters", f"s[-{k}:]") for k in range(1, 7)]
OPS += [(f"drop the first {k} letters", f"s[{k}:]") for k in range(1, 5)]
OPS += [(f"repeat it {k} times", f"s * {k}") for k in range(2, 6)]
OPS += [(f"remove every {c}", f's.replace("{c}", "")') for c in LETTERS]
OPS += [(f"add {c} at the end", f's + "{c}"') for c in LETTERS]
OPS += [(f"add {c} at the start", f'"{c}" + s') for c in LETTERS]


def _codes(name: str, first: str, second: str) -> tuple[str, ...]:
    nested = second.replace("s", "(" + first + ")", 1) if second.startswith("s") else None
    codes = [
        f"def {name}(s):\n    s = {first}\n    return {second}\n",
        f"def {name}(s):\n    s = {first}\n    s = {second}\n    return s\n",
        f"def {name}(s):\n    t = {first}\n    result = {_rename(second)}\n    return result\n",
    ]
    if nested:
        codes.append(f"def {name}(s):\n    return {nested}\n")
    return tuple(codes)


def _rename(expression: str) -> str:
    if expression.startswith("s"):
        return "t" + expression[1:]
    return expression[: -len("s")] + "t"


def make(rng: random.Random) -> Problem:
    """One function to write."""
    (w1, e1), (w2, e2) = rng.sample(OPS, 2)
    name = rng.choice(NAMES)
    style = rng.choice(
        (
            "Write a function to take a string, {} and then {}.",
            "Write a function that gets a string: {}, then {}.",
            "Write a function for a string to {} and after that {}.",
        )
    )
    text = style.format(w1, w2)
    codes = _codes(name, e1, e2)
    gold = codes[random.Random(text + name).randrange(len(codes))]
    words = random.Random(text + name).sample(INPUTS, 3)
    tests = [f"assert {name}({word!r}) == {run(gold, name, word)!r}" for word in words]
    row = {
        "task_id": f"mini/{e1} | {e2}",
        "text": text,
        "code": gold,
        "test_list": tests,
        "test_setup_code": "",
        "challenge_test_list": [],
    }
    prompt = f"{text}\nYour code should pass this test:\n{tests[0]}\n[BEGIN]\n"
    return Problem(f"{e1} | {e2}", row, prompt, lambda rng: rng.choice(codes), gold)
