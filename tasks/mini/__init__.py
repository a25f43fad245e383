"""The mini suite's four tasks: generated from seeds, in the formats of GSM8K, MATH, HumanEval and MBPP."""

from __future__ import annotations

from tasks.mini import gsm8k, humaneval, math, mbpp
from tasks.mini.problem import MiniTask, Problem

TASKS = {
    module.__name__.rsplit(".", 1)[1]: MiniTask(module.__name__.rsplit(".", 1)[1], module.make)
    for module in (gsm8k, math, humaneval, mbpp)
}

__all__ = ["TASKS", "MiniTask", "Problem"]
