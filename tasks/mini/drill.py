"""Arithmetic drills for pretraining only: short lines of equations, never part of a test set.

A masked diffusion model of this size learns the mini tasks' wording in minutes and their arithmetic last; equations
on their own show it more often.
"""

from __future__ import annotations

import random


def equation(rng: random.Random) -> tuple[str, int]:
    """One equation's left side and its value, in the ranges that the mini tasks need."""
    kind = rng.randrange(10)
    if kind < 2:
        a, b = rng.randint(1, 19), rng.randint(1, 5)
        return f"{a} + {b}", a + b
    if kind < 4:
        a = rng.randint(2, 20)
        b = rng.randint(1, min(5, a - 1))
        return f"{a} - {b}", a - b
    if kind == 4:
        b = rng.choice((2, 3))
        a = rng.randint(1, 20 // b)
        return f"{a} * {b}", a * b
    if kind < 7:
        a, b, sign = rng.randint(5, 54), rng.randint(1, 9), rng.choice("+-")
        return f"{a} {sign} {b}", a + b if sign == "+" else a - b
    a, b = rng.randint(2, 5), rng.randint(1, 9)
    if kind == 7:
        return f"{a} \\cdot {b}", a * b
    if kind == 8:
        return f"{a * b} / {a}", b
    a, b = rng.randint(2, 20), rng.randint(2, 20)
    return f"{a} + {b}", a + b


def example(rng: random.Random) -> tuple[str, str]:
    """(prompt, answer): a few left sides, then each as an equation."""
    rows = [equation(rng) for _ in range(rng.randint(3, 6))]
    prompt = "Question: " + ", ".join(left for left, _ in rows) + "\nAnswer:"
    return prompt, "".join(f" {left} = {value}." for left, value in rows)
