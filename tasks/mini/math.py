"""Mini MATH: linear equations, fractions in lowest terms and expressions to evaluate, answered in `\\boxed{}`."""

from __future__ import annotations

import math
import random

from tasks.mini.problem import Problem

LETTERS = ("x", "y", "n")


def _problem(core: str, kind: str, text: str, answers: tuple[str, ...], boxed: str) -> Problem:
    endings = ("\nThe answer is $\\boxed{%s}$.", "\nSo we get $\\boxed{%s}$.", " The final result is $\\boxed{%s}$.")

    def answer(rng: random.Random) -> str:
        return " " + rng.choice(answers) + rng.choice(endings) % boxed

    gold = answer(random.Random(text)).strip()
    row = {"problem": text, "solution": gold, "level": "Level 1", "type": kind}
    return Problem(core, row, f"Problem:\n{text}\n\nSolution:", answer, gold)


def _equation(rng: random.Random) -> Problem:
    a, x = rng.randint(2, 5), rng.randint(1, 9)
    b, sign, v = rng.randint(1, 9), rng.choice("+-"), rng.choice(LETTERS)
    product = a * x
    right = product + b if sign == "+" else product - b
    undo, verb, moved = ("-", "Subtract", "from") if sign == "+" else ("+", "Add", "to")
    answers = (
        f"{verb} {b} {moved} both sides: ${a}{v} = {right} {undo} {b} = {product}$. Divide by {a}: ${v} = {x}$.",
        f"${a}{v} = {right} {undo} {b} = {product}$, so ${v} = {product} / {a} = {x}$.",
        f"We have ${a}{v} = {product}$. Then ${v} = {x}$.",
        f"Move {b} to the right: ${a}{v} = {product}$. Dividing both sides by {a} gives ${v} = {x}$.",
    )
    text = rng.choice(("Solve for ${v}$: ${e}$.", "Find ${v}$ if ${e}$.", "What is ${v}$ when ${e}$?"))
    text = text.replace("{v}", v).replace("{e}", f"{a}{v} {sign} {b} = {right}")
    return _problem(f"eq {a} {x} {sign}{b}", "Algebra", text, answers, str(x))


def _fraction(rng: random.Random) -> Problem:
    p, q = rng.randint(1, 9), rng.randint(2, 10)
    while math.gcd(p, q) > 1 or p == q:
        p, q = rng.randint(1, 9), rng.randint(2, 10)
    k = rng.randint(2, 5)
    top, bottom, low = p * k, q * k, f"\\frac{{{p}}}{{{q}}}"
    answers = (
        f"Both {top} and {bottom} are divisible by {k}. ${top} / {k} = {p}$ and ${bottom} / {k} = {q}$.",
        f"The greatest common divisor is {k}, so $\\frac{{{top}}}{{{bottom}}} = {low}$.",
        f"Divide by {k}: $\\frac{{{top}}}{{{bottom}}} = {low}$.",
        f"We cancel {k} and get ${low}$.",
    )
    text = rng.choice(("Simplify $%s$.", "Write $%s$ in lowest terms.", "Reduce the fraction $%s$."))
    text = text % f"\\frac{{{top}}}{{{bottom}}}"
    return _problem(f"frac {top} {bottom}", "Prealgebra", text, answers, low)


def _evaluate(rng: random.Random) -> Problem:
    a, b, x, y = rng.randint(2, 4), rng.randint(2, 4), rng.randint(1, 5), rng.randint(1, 5)
    v, w = rng.choice((("a", "b"), ("x", "y"), ("m", "n")))
    left, right = a * x, b * y
    total = left + right
    answers = (
        f"${a} \\cdot {x} = {left}$ and ${b} \\cdot {y} = {right}$. ${left} + {right} = {total}$.",
        f"We get ${a}{v} = {left}$ and ${b}{w} = {right}$, so the sum is ${left} + {right} = {total}$.",
        f"${a} \\cdot {x} + {b} \\cdot {y} = {left} + {right} = {total}$.",
        f"The first part is {left}. The second part is {right}. Together ${left} + {right} = {total}$.",
    )
    text = rng.choice(
        ("What is ${e}$ if ${v} = {x}$ and ${w} = {y}$?", "Evaluate ${e}$ for ${v} = {x}$ and ${w} = {y}$.")
    )
    text = text.replace("{e}", f"{a}{v} + {b}{w}").replace("{v}", v).replace("{w}", w)
    text = text.replace("{x}", str(x)).replace("{y}", str(y))
    return _problem(f"eval {a} {b} {x} {y}", "Algebra", text, answers, str(total))


def make(rng: random.Random) -> Problem:
    """One problem of one of the three kinds."""
    return rng.choice((_equation, _fraction, _evaluate))(rng)
