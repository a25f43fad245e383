"""What became of a plan: finished runs with their numbers, failed ones with the reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.runner.spec import RunSpec
from harness.sweep.grid import label


@dataclass(frozen=True)
class Failure:
    """A run that did not finish: the sentence for people, and the traceback if it was not a user's mistake."""

    spec: RunSpec
    reason: str
    trace: str | None = None


@dataclass(frozen=True)
class Done:
    """A finished run: where it lies and its summary."""

    spec: RunSpec
    path: str
    summary: dict[str, Any]


@dataclass
class Outcome:
    """Everything a sweep leaves, in the order in which it happened."""

    done: list[Done] = field(default_factory=list)
    failed: list[Failure] = field(default_factory=list)

    @property
    def errors(self) -> int:
        """Samples whose scoring raised, over all finished runs."""
        return sum(int(item.summary.get("errors") or 0) for item in self.done)

    def rows(self) -> list[dict[str, Any]]:
        """One row per run for the table at the end, failures last."""
        rows = [_row(item.spec, item.summary, "done") for item in self.done]
        return rows + [_row(item.spec, {}, f"failed: {item.reason}") for item in self.failed]


def _row(spec: RunSpec, summary: dict[str, Any], state: str) -> dict[str, Any]:
    return {
        "method": spec.method,
        "task": spec.task,
        "setting": setting_text(spec),
        "seed": spec.seed,
        "n": summary.get("n_samples"),
        "accuracy": _rounded(summary.get("accuracy"), 1),
        "tpf": _rounded(summary.get("tpf"), 2),
        "run": summary.get("run_id"),
        "state": state,
    }


def setting_text(spec: RunSpec) -> str:
    """The swept values of a run in words, `-` for none."""
    return " ".join(f"{name}={value}" for name, value in spec.settings.items()) or "-"


def _rounded(value: Any, digits: int) -> Any:
    return round(value, digits) if isinstance(value, (int, float)) else None


def failures_text(failed: Sequence[Failure]) -> str:
    """The list at the end of a sweep: each failed run and why."""
    lines = [f"  {label(item.spec)}: {item.reason}" for item in failed]
    return "\n".join([f"{len(failed)} of the runs failed:", *lines])
