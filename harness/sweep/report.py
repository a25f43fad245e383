"""What became of a plan: finished runs with their numbers, seeds combined, failed runs with the reason."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from harness.documents import chosen
from harness.runner.spec import RunSpec
from harness.stats import Samples, combine_seeds
from harness.sweep.grid import run_text, setting_text

if TYPE_CHECKING:
    from harness.runner.execute import Outcome


COUNTS = ("forwards", "forwards_run", "positions", "positions_run")


def ran_text(outcomes: Sequence[Outcome]) -> str:
    """How many forward passes the runs' samples needed, how many of them ran, and what that means for TPS."""
    summaries = [outcome.summary for outcome in outcomes if outcome.summary]
    needed, ran = (sum(summary.get(name) or 0 for summary in summaries) for name in COUNTS[:2])
    if ran == needed:
        return f"{needed:,} forward passes, none reused."
    return (
        f"{needed:,} forward passes needed, {ran:,} run ({ran / needed:.0%}): canvases that runs have in common were "
        "computed once. TPS of such runs is no speed of a method; for that, --no-reuse."
    )


def rows(outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    """One row per run, in the order of the plan; the reason of a failed one is its state."""
    found = [_row(outcome.spec, outcome.summary or {}, _state(outcome)) for outcome in outcomes]
    labels = [outcome.folder.run().get("label") if outcome.folder else outcome.spec.label for outcome in outcomes]
    if any(labels):
        return [{**row, "label": label} for row, label in zip(found, labels, strict=True)]
    return found


def _state(outcome: Outcome) -> str:
    if outcome.state == "failed":
        return f"failed: {reason(outcome)}"
    return f"{outcome.state}, {outcome.errors} samples not scored" if outcome.errors else outcome.state


def _row(spec: RunSpec, summary: dict[str, Any], state: str) -> dict[str, Any]:
    return {
        "method": spec.method,
        "task": spec.task,
        "setting": setting_text(spec),
        "seed": spec.seed,
        "n": summary.get("n_samples"),
        "accuracy": _rounded(summary.get("accuracy"), 1),
        "tpf": _rounded(summary.get("tpf"), 2),
        **{name: summary.get(name) for name in COUNTS},
        "run": summary.get("run_id"),
        "state": state,
    }


def seed_rows(outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    """One row per setting that was run with several seeds: the combined numbers and the spread between the seeds."""
    settings: dict[tuple[str, str, str], list[Outcome]] = {}
    for outcome in outcomes:
        if outcome.summary and outcome.folder:
            key = (outcome.spec.method, outcome.spec.task, setting_text(outcome.spec))
            settings.setdefault(key, []).append(outcome)
    found = []
    for (method, task, setting), same in settings.items():
        if len(same) > 1:
            spread = combine_seeds([_samples(outcome) for outcome in same])
            found.append(
                {
                    "method": method,
                    "task": task,
                    "setting": setting,
                    "seeds": spread.n_seeds,
                    "accuracy": round(spread.accuracy, 1),
                    "accuracy_ci95": _interval(spread.accuracy_ci95, 1),
                    "between_seeds_sd": round(spread.accuracy_sd, 2),
                    "tpf": round(spread.tpf, 2),
                    "tpf_ci95": _interval(spread.tpf_ci95, 2),
                    "tpf_between_seeds_sd": round(spread.tpf_sd, 3),
                }
            )
    return found


def _samples(outcome: Outcome) -> Samples:
    folder, spec = outcome.folder, outcome.spec
    assert folder is not None
    documents = chosen(folder.run()["n_docs"], spec.limit, spec.samples)
    return Samples.from_rows(line for line in folder.samples(light=True) if line["doc_id"] in documents)


def reason(outcome: Outcome) -> str:
    """Why a run failed, in one line: its sentence, or the last line of its traceback."""
    lines = [line for line in outcome.error.strip().splitlines() if line.strip()]
    return lines[-1].strip() if lines else "no reason was given"


def failures_text(outcomes: Sequence[Outcome]) -> str:
    """The list at the end of a sweep: each failed run, why, and the command that tries it again; empty without any."""
    failed = [outcome for outcome in outcomes if outcome.state == "failed"]
    if not failed:
        return ""
    lines = [f"{len(failed)} of {len(outcomes)} runs failed:"]
    for outcome in failed:
        lines += [f"  {run_text(outcome.spec)}: {reason(outcome)}", f"    {outcome.spec.command()}"]
    return "\n".join(lines)


def _interval(interval: tuple[float, float], digits: int) -> str:
    if any(map(math.isnan, interval)):
        return "-"
    return f"{interval[0]:.{digits}f} to {interval[1]:.{digits}f}"


def _rounded(value: Any, digits: int) -> Any:
    return round(value, digits) if isinstance(value, (int, float)) else None
