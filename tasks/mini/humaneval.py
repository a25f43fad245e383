"""Mini HumanEval: complete a function over a list of numbers (keep some, change each, reduce) from its docstring."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from tasks.mini.problem import Problem

NAMES = ("solve", "compute", "process", "transform", "calculate", "handle_numbers", "work", "apply_rule")
Step = tuple[str, str]  # words, expression in n

FILTERS: list[Step] = [("even numbers", "n % 2 == 0"), ("odd numbers", "n % 2 == 1"), ("positive numbers", "n > 0")]
FILTERS += [("negative numbers", "n < 0")]
FILTERS += [(f"numbers greater than {k}", f"n > {k}") for k in range(1, 10)]
FILTERS += [(f"numbers less than {k}", f"n < {k}") for k in range(1, 10)]
FILTERS += [(f"numbers divisible by {k}", f"n % {k} == 0") for k in (3, 4, 5)]
MAPS: list[Step] = [("double each one", "n * 2"), ("triple each one", "n * 3"), ("square each one", "n * n")]
MAPS += [(f"add {k} to each one", f"n + {k}") for k in range(1, 10)]
MAPS += [(f"subtract {k} from each one", f"n - {k}") for k in range(1, 10)]
REDUCERS: list[Step] = [
    ("return their sum", "sum({})"),
    ("return the list", "{}"),
    ("return how many there are", "len({})"),
    ("return the sorted list", "sorted({})"),
    ("return the largest", "max({}, default=0)"),
    ("return the smallest", "min({}, default=0)"),
]
INPUTS: tuple[list[int], ...] = ([3, 8, -2, 5, 12], [1, 2, 3, 4, 5, 6], [-7, 0, 9, 10], [15, 20, 4, 7, 7], [])


def _bodies(keep: str, change: str, reduce: str) -> tuple[str, ...]:
    return (
        f"    kept = [n for n in numbers if {keep}]\n    changed = [{change} for n in kept]\n"
        f"    return {reduce.format('changed')}\n",
        f"    return {reduce.format(f'[{change} for n in numbers if {keep}]')}\n",
        f"    result = []\n    for n in numbers:\n        if {keep}:\n            result.append({change})\n"
        f"    return {reduce.format('result')}\n",
        f"    values = [{change} for n in numbers if {keep}]\n    return {reduce.format('values')}\n",
    )


def run(code: str, name: str, argument: Any) -> Any:
    """The value of `name(argument)` under our own generated code (never a model's)."""
    scope: dict[str, Callable[[Any], Any]] = {}
    exec(code, scope)
    return scope[name](argument)


def make(rng: random.Random) -> Problem:
    """One function to complete."""
    keep, change, reduce = rng.choice(FILTERS), rng.choice(MAPS), rng.choice(REDUCERS)
    name = rng.choice(NAMES)
    style = rng.choice(("Keep the {}, {}, and {}.", "Take only the {}, then {} and {}.", "From the {}, {}, and {}."))
    prompt = f'def {name}(numbers):\n    """{style.format(keep[0], change[0], reduce[0])}"""\n'
    bodies = _bodies(keep[1], change[1], reduce[1])
    gold = bodies[random.Random(prompt).randrange(len(bodies))]
    checks = "".join(f"    assert candidate({value!r}) == {run(prompt + gold, name, value)!r}\n" for value in INPUTS)
    core = f"{keep[1]} | {change[1]} | {reduce[1]}"
    row = {
        "task_id": "mini/" + core,
        "prompt": prompt,
        "entry_point": name,
        "canonical_solution": gold,
        "test": f"def check(candidate):\n{checks}",
    }
    return Problem(core, row, prompt, lambda rng: rng.choice(bodies), gold)
