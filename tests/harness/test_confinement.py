"""What a run says of the walls around generated code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from harness.runner.job import choose, prepare
from tasks.sandbox import available

Spec = Callable[..., Any]


def test_a_run_of_a_code_task_records_its_confinement(spec: Spec, models: Any) -> None:
    run = prepare(choose(spec(task="humaneval", unconfined=True)), models).run
    assert run["confinement"] == f"{available()[0].name}, memory limited per process"
    assert "confinement" not in prepare(choose(spec()), models).run
