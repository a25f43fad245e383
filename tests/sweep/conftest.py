"""Methods and runs without a model: what the planner, the executors' logic and the refinement need to know."""

from __future__ import annotations

import pytest

from methods import registry
from methods.method import Method, Param


def method(
    name: str, checkpoint: str, axis: str | None = "threshold", points: tuple[float, ...] = (0.9, 0.5)
) -> Method:
    """A row of the table that is never decoded."""
    return Method(
        name=name,
        title=name,
        summary="",
        citation="",
        family="dllm",
        decoder="nowhere:nothing",
        params={
            "threshold": Param(float, 0.9, "confidence", 0.0, 1.0),
            "block_size": Param(int, 32, "positions", 1, 256),
            "mode": Param(str, "a", "letter", choices=("a", "b")),
        },
        axis=axis,
        points=(0.9, 0.5) if axis else (),
        one_token={},
        checkpoint=checkpoint,
    )


@pytest.fixture
def fake_methods(monkeypatch: pytest.MonkeyPatch) -> dict[str, Method]:
    """Four methods on three checkpoints; `ar` has no axis."""
    rows = [method("slow", "base"), method("trained", "own"), method("fast", "base"), method("ar", "ar", None)]
    found = {row.name: row for row in rows}
    monkeypatch.setattr(registry, "all_methods", lambda: found)
    return found
