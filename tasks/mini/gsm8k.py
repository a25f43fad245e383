"""Mini GSM8K: word problems of two or three steps with numbers up to 20, worked in several wordings.

Every step may be worded in several ways and with several lengths. That is on purpose: one fixed wording makes a
model whose tokens are all certain, which decodes in parallel without any distillation and measures nothing.
"""

from __future__ import annotations

import random

from tasks.mini.problem import Problem

NAMES = ("Tom", "Anna", "Ben", "Mia", "Sam", "Lily", "Max", "Emma", "Leo", "Kate", "Nina", "Paul")
THINGS = ("apples", "books", "coins", "pens", "cards", "shells", "stamps", "balls", "eggs", "stones")
LIMIT = 20
OPERAND = 5  # the most that one step adds or takes away

GAIN = ("{name} buys {b} more.", "{name} finds {b} more {things}.", "A friend gives {name} {b} more.")
LOSS = ("{name} gives away {b}.", "{name} loses {b} {things}.", "{name} sells {b} of them.")
TIMES = {
    2: ("The number of {things} doubles.", "{name} gets twice as many."),
    3: ("The number of {things} triples.", "{name} gets three times as many."),
}
START = ("{name} has {a} {things}.", "There are {a} {things} in the box of {name}.", "{name} starts with {a} {things}.")
ASK = ("How many {things} does {name} have now?", "How many {things} are there at the end?")

STEP = {
    "+": (
        "{a} + {b} = {c}.",
        "Now there are {a} + {b} = {c} {things}.",
        "After adding {b}, {name} has {a} + {b} = {c}.",
        "We add {b} and get {a} + {b} = {c}.",
    ),
    "-": (
        "{a} - {b} = {c}.",
        "Now there are {a} - {b} = {c} {things}.",
        "After taking away {b}, {name} has {a} - {b} = {c}.",
        "We subtract {b} and get {a} - {b} = {c}.",
    ),
    "*": (
        "{a} * {b} = {c}.",
        "Now there are {a} * {b} = {c} {things}.",
        "After this {name} has {a} * {b} = {c}.",
        "We multiply by {b} and get {a} * {b} = {c}.",
    ),
}
OPENING = ("", "{name} starts with {a} {things}. ", "At first there are {a}. ", "We begin with {a} {things}. ")
CLOSING = ("", " So the answer is {c}.", " {name} has {c} {things}.", " In the end there are {c}.")


def _steps(rng: random.Random) -> list[tuple[int, str, int, int]]:
    total = rng.randint(2, 12)
    steps = []
    for _ in range(rng.choice((2, 2, 3))):
        choices = ["+"] * 2 * (total < LIMIT) + ["-"] * 2 * (total > 2) + ["*"] * (2 * total <= LIMIT)
        sign = rng.choice(choices)
        if sign == "*":
            by = rng.choice([k for k in (2, 3) if k * total <= LIMIT])
            after = total * by
        elif sign == "+":
            by = rng.randint(1, min(OPERAND, LIMIT - total))
            after = total + by
        else:
            by = rng.randint(1, min(OPERAND, total - 1))
            after = total - by
        steps.append((total, sign, by, after))
        total = after
    return steps


def make(rng: random.Random) -> Problem:
    """One problem: a start, two or three changes, a question."""
    steps = _steps(rng)
    words = {"name": rng.choice(NAMES), "things": rng.choice(THINGS)}
    sentences = [rng.choice(START).format(a=steps[0][0], **words)]
    for _, sign, by, _ in steps:
        pool = TIMES[by] if sign == "*" else GAIN if sign == "+" else LOSS
        sentences.append(rng.choice(pool).format(b=by, **words))
    question = " ".join([*sentences, rng.choice(ASK).format(**words)])
    final = steps[-1][3]

    def answer(rng: random.Random) -> str:
        opening = rng.choice(OPENING).format(a=steps[0][0], **words)
        body = " ".join(rng.choice(STEP[s]).format(a=a, b=b, c=c, **words) for a, s, b, c in steps)
        return f" {opening}{body}{rng.choice(CLOSING).format(c=final, **words)}\n#### {final}"

    gold = answer(random.Random(question))
    core = " ".join(f"{a}{s}{b}" for a, s, b, _ in steps)
    row = {"question": question, "answer": gold.strip()}
    return Problem(core, row, f"Question: {question}\nAnswer:", answer, gold.strip())
