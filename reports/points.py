"""Runs become points: protocols checked, duplicates named, several seeds of one setting combined into one point.

A curve is a row's points on one task. Its points are computed on the documents that all of them have, and a row with
several training seeds is the mean over them, setting by setting (`reports.curves` decides which runs take part).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from harness.stats import Replicas, Samples, combine_seeds, pool_seeds, wilson
from reports.errors import ReportError
from reports.model import Finding, Point
from reports.runs import RunData

SOURCE = "run"
# of run.json: what seeds must share to be averaged
KIND = ("data_fingerprint", "tokenizer_fingerprint")
Groups = dict[tuple[str, ...], list[RunData]]


class Made(NamedTuple):
    """Points, what was found on the way, `run_id` of a point -> training seed -> its samples, and used documents.

    documents: run_id of a run -> the document ids that count, only for runs of which not all do.
    """

    points: list[Point]
    findings: list[Finding]
    samples: dict[str, Replicas]
    documents: dict[str, frozenset[str]]


def check_protocols(runs: Sequence[RunData], mixed: bool) -> list[Finding]:
    """A finding per (suite, task) with runs of several protocols; without `mixed` the first is a ReportError."""
    groups: dict[tuple[str, str], dict[tuple[str, str], list[RunData]]] = {}
    for run in runs:
        groups.setdefault(run.cell, {}).setdefault(run.protocol, []).append(run)
    findings = []
    for (suite, task), protocols in groups.items():
        if len(protocols) == 1:
            continue
        parts = [f"{' '.join(key).strip()} ({len(members)} runs)" for key, members in protocols.items()]
        text = f"{suite}/{task} mixes runs of {len(protocols)} protocols: {'; '.join(parts)}."
        if not mixed:
            raise ReportError(
                f"{text} They saw different prompts or limits, so they cannot stand in one table: give --runs folders "
                "of one protocol, or --mixed-protocols to see them together with a warning."
            )
        findings.append(Finding("mixed-protocols", "warning", text, suite, SOURCE, (task,), data={"protocols": parts}))
    return findings


def make_points(
    runs: Sequence[RunData], draws: int = 1000, *, all_documents: bool = False, mixed_curves: bool = False
) -> Made:
    """One point per (suite, task, row, setting, protocol), from the runs that count.

    Runs that differ in their seed or training seed alone combine; seeds of other data or weights than the last one's do
    not, and are named. Two runs of one seed are duplicates: the one started last counts, and a warning names both.
    Without `all_documents` the points of a curve are over the documents that all of them have. Raises ReportError for a
    curve over different weights or tokenizers unless its runs carry a label or `mixed_curves`.
    """
    from reports.curves import check_curves, common_documents, equal_train_seeds

    groups: Groups = {}
    for run in runs:
        key = (*run.cell, run.row, run.setting, *run.protocol)
        groups.setdefault(key, []).append(run)
    findings = check_curves(list(groups.values()), mixed_curves)  # two models at one setting are two models, too
    chosen = []
    for members in groups.values():
        unique, found = _without_duplicates(members)
        chosen.append(unique)
        findings += found
    chosen, uneven = equal_train_seeds(chosen)
    findings += uneven
    documents, unequal = common_documents(chosen, all_documents)
    findings += unequal
    points: list[Point] = []
    samples: dict[str, Replicas] = {}
    for unique in chosen:
        taken = [_restricted(run, documents) for run in unique]
        point = _point(unique, taken, draws)
        points.append(point)
        samples[point.run_id] = _replicas(unique, taken)
    return Made(points, findings, samples, documents)


def _restricted(run: RunData, documents: Mapping[str, frozenset[str]]) -> Samples:
    wanted = documents.get(run.run_id)
    return run.samples if wanted is None else run.samples.on([doc for doc in run.samples.doc_ids if doc in wanted])


def _replicas(runs: Sequence[RunData], samples: Sequence[Samples]) -> dict[str, Samples]:
    """Training seed -> samples, decoding seeds of one training seed pooled; in the order of the seeds."""
    found: dict[str, list[Samples]] = {}
    for run, own in zip(runs, samples, strict=True):
        found.setdefault(run.train_seed, []).append(own)
    return {seed: pool_seeds(found[seed]) for seed in sorted(found)}


def _without_duplicates(members: list[RunData]) -> tuple[list[RunData], list[Finding]]:
    by_seed: dict[Any, list[RunData]] = {}
    for run in sorted(members, key=lambda run: run.started):
        by_seed.setdefault((run.run.get("seed", 0), run.train_seed), []).append(run)
    findings = []
    for (seed, _), runs in by_seed.items():
        if len(runs) > 1:
            first = runs[-1]
            ids = ", ".join(run.run_id for run in runs)
            text = (
                f"{len(runs)} runs of one setting and seed ({seed}): {ids}; they differ in {_differences(runs)}. Only "
                f"the one started last, {first.run_id}, counts."
            )
            where = (first.run["suite"], SOURCE, (first.run["task"],), (first.row,))
            data = {"run_ids": [run.run_id for run in runs], "kept": first.run_id}
            findings.append(Finding("duplicate-runs", "warning", text, *where, data))
    unique, strangers = _of_one_kind([runs[-1] for runs in by_seed.values()])
    return unique, findings + strangers


def _of_one_kind(runs: list[RunData]) -> tuple[list[RunData], list[Finding]]:
    """The seeds that measured what the one started last did: a mean over different problems or weights is none."""
    last = max(runs, key=lambda run: run.started)
    # weights may differ between training seeds, not within one
    weights = {run.train_seed: run.run.get("checkpoint_fingerprint") for run in sorted(runs, key=lambda r: r.started)}

    def kind(run: RunData) -> list[Any]:
        return [run.run.get("checkpoint_fingerprint") == weights[run.train_seed], *map(run.run.get, KIND)]

    others = [run for run in runs if kind(run) != kind(last)]
    if not others:
        return runs, []
    ids = ", ".join(run.run_id for run in others)
    text = (
        f"Seeds of one setting that differ in {_differences(runs)} are not averaged: only those like the one started "
        f"last, {last.run_id}, count, not {ids}."
    )
    where = (last.run["suite"], SOURCE, (last.run["task"],), (last.row,))
    data = {"run_ids": [run.run_id for run in others], "kept": last.run_id}
    return [run for run in runs if run not in others], [Finding("different-seeds", "warning", text, *where, data)]


def _differences(runs: Sequence[RunData]) -> str:
    names = (
        "checkpoint",
        "checkpoint_fingerprint",
        "tokenizer_fingerprint",
        "data_fingerprint",
        "dtype",
        "batch_size",
        "code_version",
        "fidelity",
    )
    differing = [name for name in names if len({str(run.run.get(name)) for run in runs}) > 1]
    return ", ".join(differing) or "nothing that decides the outcome"


def _point(runs: Sequence[RunData], samples: Sequence[Samples], draws: int) -> Point:
    first = runs[0]
    run, summary = first.run, first.summary
    numbers: dict[str, Any] = {
        "tpf": float(summary["tpf"]),
        "accuracy": float(summary["accuracy"]),
        "n_samples": int(summary["n_samples"]),
        **dict(zip(("acc_lo", "acc_hi"), _interval(summary, "accuracy_ci95"), strict=True)),
        **dict(zip(("tpf_lo", "tpf_hi"), _interval(summary, "tpf_ci95"), strict=True)),
    }
    if len(runs) > 1 or len(samples[0]) < len(first.samples):
        spread = combine_seeds(samples, draws=max(draws, 200))
        numbers = {
            "tpf": spread.tpf,
            "accuracy": spread.accuracy,
            "n_samples": spread.n_samples,
            **dict(zip(("acc_lo", "acc_hi"), spread.accuracy_ci95, strict=True)),
            **dict(zip(("tpf_lo", "tpf_hi"), map(_finite, spread.tpf_ci95), strict=True)),
            "accuracy_sd": _finite(spread.accuracy_sd),
            "tpf_sd": _finite(spread.tpf_sd),
        }
    if numbers["acc_lo"] is None:
        n = numbers["n_samples"]
        numbers["acc_lo"], numbers["acc_hi"] = wilson(round(numbers["accuracy"] * n / 100), n)
    tokens = sum(run.summary.get("tokens") or 0 for run in runs)
    positions = sum(run.summary.get("positions") or 0 for run in runs)
    compat = summary.get("tpf_compat")
    return Point(
        suite=run["suite"],
        task=run["task"],
        method=first.row,
        base=run["method"],
        source=SOURCE,
        setting=first.setting,
        run_id="+".join(run.run_id for run in runs),
        protocol=first.protocol[0],
        protocol_digest=first.protocol[1],
        label=first.row,
        tps=None if summary.get("tps_reused") else _finite(summary.get("tps")),  # no speed of a method
        batch_size=summary.get("batch_size"),
        device=str(summary.get("device") or ""),
        positions_per_token=positions / tokens if tokens and positions else None,
        tpf_compat=dict(compat) if isinstance(compat, dict) else {},
        seeds=len(runs),
        command=first.command,
        axis=str(run.get("axis") or ""),
        axis_value=_axis_value(run),
        train_seed="+".join(sorted({run.train_seed for run in runs} - {""})),
        seed="+".join(sorted({str(run.run.get("seed", 0)) for run in runs})),
        revisions=_sum([run.revisions for run in runs]),
        remasks=_sum([run.remasks for run in runs]),
        **numbers,
    )


def _axis_value(run: Mapping[str, Any]) -> str:
    axis = run.get("axis")
    value = run.get("axis_value", run["setting"].get(axis)) if axis else None
    return value if isinstance(value, str) else json.dumps(value) if value is not None or axis else ""


def _sum(values: Sequence[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _interval(summary: Any, key: str) -> tuple[float | None, float | None]:
    value = summary.get(key)
    if not isinstance(value, (list, tuple)) or len(value) != 2:
        return None, None
    return _finite(value[0]), _finite(value[1])


def _finite(value: Any) -> float | None:
    return float(value) if isinstance(value, (int, float)) and math.isfinite(value) else None
