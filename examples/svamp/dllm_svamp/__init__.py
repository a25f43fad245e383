"""SVAMP (Patel et al. 2021, arXiv:2103.07191), word problems of one step: real rows, or rows for the mini models."""

from __future__ import annotations

import random
from pathlib import Path

from tasks.catalogue import Dataset, Extension, Row
from tasks.mini.gsm8k import ASK, GAIN, LOSS, NAMES, START, THINGS

FIELDS = (("Body", str), ("Question", str), ("Equation", str), ("Answer", (str, int, float)))
TEST_SIZE = 300  # as many as the real test split


def gold(row: Row) -> str:
    """What a perfect model writes for a row, in GSM8K's form."""
    return f"{row['Equation']} = {float(row['Answer']):.10g}\n#### {float(row['Answer']):.10g}"


def problems(split: str) -> list[Row]:
    """The generated rows of a split, none of them twice, in the words that the mini models know."""
    rng = random.Random(f"svamp/{split}")
    found: dict[str, Row] = {}
    while len(found) < TEST_SIZE:
        row = _problem(rng)
        found.setdefault(row["Body"], row)
    return list(found.values())


def _problem(rng: random.Random) -> Row:
    words = {"name": rng.choice(NAMES), "things": rng.choice(THINGS)}
    a, b = rng.randint(6, 15), rng.randint(1, 5)
    sign, pool = rng.choice((("+", GAIN), ("-", LOSS)))
    answer = a + b if sign == "+" else a - b
    return {
        "Body": f"{rng.choice(START)} {rng.choice(pool)}".format(a=a, b=b, **words),
        "Question": rng.choice(ASK).format(**words),
        "Equation": f"( {a}.0 {sign} {b}.0 )",
        "Answer": f"{answer}.0",
    }


EXTENSION = Extension(
    Path(__file__).parent,
    {"svamp": Dataset("svamp", "ChilleD/SVAMP", (None,), FIELDS, gold, train=True, make=problems)},
)
