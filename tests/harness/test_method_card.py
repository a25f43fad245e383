"""`harness ls methods NAME`: every setting of every method with its range and help, and commands that work."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from typing import Any

import pytest

from harness.runner import RunSpec, choose
from harness.sweep import Grid, parse_points
from harness.sweep.run import make_plan
from methods import registry
from tests.harness.verbs import in_process


@pytest.fixture(autouse=True)
def _a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    """pytest-xdist sets COLUMNS in its workers."""
    monkeypatch.delenv("COLUMNS", raising=False)


@pytest.mark.parametrize("name", registry.names())
def test_every_setting_is_shown_with_its_range_and_help(name: str, capsys: Any) -> None:
    method = registry.get(name)
    code, out, _ = in_process(capsys, "ls", "methods", name)
    assert code == 0
    for setting, param in method.params.items():
        (line,) = (line for line in out.splitlines() if line.split()[:1] == [setting] and param.help in line)
        assert param.describe() in line
    assert method.citation in out
    assert all(repair in out for repair in method.repairs)
    card = json.loads(in_process(capsys, "ls", "methods", name, "--json")[1])
    assert {row["name"]: row["default"] for row in card["settings"]} == {
        setting: param.default for setting, param in method.params.items()
    }
    assert card["points"] == list(method.points)


@pytest.mark.parametrize("name", registry.names())
def test_the_examples_are_accepted(name: str, capsys: Any) -> None:
    card = json.loads(in_process(capsys, "ls", "methods", name, "--json")[1])
    for line in card["examples"]:
        words = shlex.split(line)
        given = {words[at].removeprefix("--"): words[at + 1] for at in range(2, len(words), 2)}
        base = {"suite": given.get("suite", "mini"), "checkpoint": given.get("checkpoint")}
        if words[1] == "run":
            setting = dict([given["set"].split("=")]) if "set" in given else {}
            choose(RunSpec(method=name, task=given["task"], settings=setting, **base))
        else:
            grid = Grid(RunSpec(method="", task="", **base), [name], [given["tasks"]], parse_points(given["points"]))
            assert len(make_plan(grid)) == len(registry.get(name).points)


def test_a_value_that_a_suite_changes_is_shown_where_it_changes(capsys: Any) -> None:
    card = json.loads(in_process(capsys, "ls", "methods", "d2f", "--json")[1])
    (row,) = (row for row in card["settings"] if row["name"] == "block_add_threshold")
    assert row["in_suites"] == {"llada": 0.7, "llada/mbpp": 0.9}


@pytest.mark.parametrize(
    ("typed", "offered"),
    [("harness run --method tad", "tad_speed"), ("harness ls methods multi", "multi_block"), ("harness ru", "run")],
)
def test_the_shell_completes_names(typed: str, offered: str) -> None:
    environment = {
        **os.environ,
        "_CLI_COMPLETE": "complete_bash",
        "COMP_WORDS": typed,
        "COMP_CWORD": str(len(typed.split()) - 1),
    }
    command = [sys.executable, "-c", "from harness.cli import app; app(prog_name='cli')"]
    shown = subprocess.run(command, capture_output=True, text=True, env=environment, check=True).stdout
    assert offered in shown.split()
