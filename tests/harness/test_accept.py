"""Trajectories that `correct_only` keeps are those that the suite's own protocol calls right."""

from __future__ import annotations

from pathlib import Path

import pytest

import tasks
from harness.training_problems import accept
from methods.distill.problems import Problem
from tasks import protocols
from tasks.data import Source

ROWS = Source("folder", Path(__file__).parents[1] / "data" / "rows")


@pytest.mark.parametrize(
    ("text", "right"),
    [("$\\boxed{18}$.", True), ("Question: again? \\boxed{18.00}", True), ("\\boxed{19}, not 18", False), ("", False)],
)
def test_right_trajectories_are_kept(text: str, right: bool) -> None:
    loaded = tasks.load(protocols.get("llada-fair/gsm8k"), ROWS)
    problem = Problem("gsm8k/0", "gsm8k", "", "", "", loaded.docs[0], chat=True)
    assert accept({"gsm8k": loaded}, problem, text) is right
