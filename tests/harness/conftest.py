"""Fixtures: the tiny suite, the tests' methods in the registry, one model for all specs of a session."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="session")
def suite(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The path of the tiny suite, good for --suite."""
    from tests.harness.tiny import write_suite

    return str(write_suite(tmp_path_factory.mktemp("suite")))


@pytest.fixture(scope="session", autouse=True)
def methods() -> None:
    """The methods of tests.harness.launch, beside the real ones."""
    from tests.harness.launch import register

    register()


@pytest.fixture(scope="session")
def models() -> Any:
    """Loaded once for all tests."""
    import torch

    from harness.runner import ModelCache

    torch.set_num_threads(1)
    return ModelCache(keep=3)


@pytest.fixture
def spec(suite: str, tmp_path: Path) -> Callable[..., Any]:
    """Builds a RunSpec of the tiny suite that stores below tmp_path."""
    from harness.runner import RunSpec

    def make(**changes: Any) -> RunSpec:
        values: dict[str, Any] = {
            "method": "test_entropy",
            "task": "gsm8k",
            "suite": suite,
            "limit": 6,
            "batch_size": 4,
            "out": str(tmp_path / "runs"),
        }
        return RunSpec(**{**values, **changes})

    return make


@pytest.fixture
def registered() -> Iterator[Callable[[Any], None]]:
    """Adds a method to the registry for one test."""
    from methods import registry

    added: list[str] = []

    def add(method: Any) -> None:
        registry.all_methods()[method.name] = method
        added.append(method.name)

    yield add
    for name in added:
        del registry.all_methods()[name]


@pytest.fixture
def stored(spec: Callable[..., Any], models: Any) -> Any:
    """A finished run of five documents."""
    from harness.runner import execute

    (outcome,) = execute([spec(limit=5)], model_cache=models)
    assert outcome.folder is not None
    return outcome.folder
