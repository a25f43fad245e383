"""What the models beside the leaderboard show: the spread between training seeds, the ablation over delta, the cost.

Everything is on the GSM8K of the suite and in one cohort: y_max is the best accuracy among all curves of the table.
"""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.regenerate.roots import recipe_values
from harness.stats import Samples, bootstrap_aup, wilson
from harness.store import find_runs
from methods import registry
from reports.aup import aup
from reports.formats import to_csv

Curve = dict[float, Samples]
TASK = "gsm8k"


def read_curve(folder: Path) -> Curve:
    """The points of one swept model on `TASK`, {axis value: samples}, in order of the axis. {} without runs."""
    runs = [run for run in find_runs(folder) if run.run()["task"] == TASK and run.summary()] if folder.is_dir() else []
    points = {run.run()["axis_value"]: Samples.from_rows(run.samples(light=True)) for run in runs}
    return dict(sorted(points.items()))


def measured(curves: Mapping[str, Curve]) -> dict[str, dict[str, Any]]:
    """Of each curve: its strictest point, its point at 0.5 (the methods' default), and AUP with its interval."""
    clouds = {name: list(curve.values()) for name, curve in curves.items()}
    y_max = max(point.accuracy for cloud in clouds.values() for point in cloud)
    intervals = bootstrap_aup(clouds)
    rows = {}
    for name, curve in curves.items():
        strict, default = curve[min(curve)], curve[0.5]
        low, high = wilson(int(strict.correct.sum()), len(strict))
        rows[name] = {
            "accuracy_tpf1": strict.accuracy,
            "accuracy_tpf1_lo": low,
            "accuracy_tpf1_hi": high,
            "tpf_strict": strict.tpf,
            "accuracy_default": default.accuracy,
            "tpf_default": default.tpf,
            "aup": aup([(point.tpf, point.accuracy) for point in clouds[name]], y_max),
            "aup_lo": intervals[name][0],
            "aup_hi": intervals[name][1],
            "n": len(strict),
        }
    return rows


def delta_rows(out: Path, deltas: Sequence[int]) -> list[dict[str, Any]]:
    """The ablation: one row a delta, in order, TAD-Quality's among them, between the base and TAD-Speed."""
    folders = {f"delta {delta}": out / "runs_extra" / f"tad_speed.delta{delta}" for delta in deltas}
    folders[f"delta {recipe_values('tad_quality')['delta']}"] = out / "runs" / "tad_quality"
    folders |= {"undistilled": out / "runs" / "multi_block", "tad_speed": out / "runs" / "tad_speed"}
    curves = {name: curve for name, folder in folders.items() if (curve := read_curve(folder))}
    rows = measured(curves) if curves else {}
    ends = {"undistilled": 0, "tad_speed": math.inf}
    order = sorted(rows, key=lambda name: ends[name] if name in ends else int(name.removeprefix("delta ")))
    return [{"model": name} | rows[name] for name in order]


def seed_rows(out: Path, seeds: Mapping[str, Sequence[int]], first: int = 0) -> list[dict[str, Any]]:
    """One row per training seed of each recipe, and one with the mean and the standard deviation between them.

    `seeds` are counted from `first`, the seed of the whole regeneration.
    """
    curves: dict[str, dict[str, Curve]] = {}
    for name, extra in seeds.items():
        folders = {str(first): out / "runs" / name}
        folders |= {str(first + n): out / "runs_extra" / f"{name}.seed{first + n}" for n in extra}
        own = {seed: curve for seed, folder in folders.items() if (curve := read_curve(folder))}
        curves |= {name: own} if len(own) > 1 else {}
    cohort = {f"{name} {seed}": curve for name, own in curves.items() for seed, curve in own.items()}
    numbers = measured(cohort) if cohort else {}
    rows: list[dict[str, Any]] = []
    for name, own in curves.items():
        found = {seed: numbers[f"{name} {seed}"] for seed in own}
        rows += [{"method": name, "seed": seed} | row for seed, row in found.items()]
        for word, reduce in (("mean", statistics.mean), ("sd", statistics.stdev)):
            columns = ("accuracy_tpf1", "tpf_strict", "accuracy_default", "tpf_default", "aup")
            rows.append({"method": name, "seed": word} | {c: reduce([r[c] for r in found.values()]) for c in columns})
    return rows


def cost_rows(out: Path) -> list[dict[str, Any]]:
    """CPU minutes of each row: its distillation and its sweep; what several rows share is a row of its own."""
    file = out / "stages.json"
    stages = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    minutes = {name: record["cpu_minutes"] for name, record in stages.items()}
    rows = []
    for name, method in sorted(registry.all_methods().items()):
        if f"sweep_{name}" in minutes:
            sweep, training = minutes.pop(f"sweep_{name}"), minutes.get(method.checkpoint, 0.0)
            rows.append({"row": name, "training": training, "sweep": sweep})
    trained = {registry.get(row["row"]).checkpoint for row in rows}
    shared = {name: spent for name, spent in minutes.items() if name.startswith(("pretrain_", "trajectories_"))}
    rows += [{"row": f"shared: {name}", "training": spent, "sweep": 0.0} for name, spent in shared.items()]
    left = sum(spent for name, spent in minutes.items() if name not in shared and name not in trained)
    rows.append({"row": "other stages, seeds and ablation", "training": left, "sweep": 0.0})
    return [row | {"cpu_minutes": row["training"] + row["sweep"]} for row in rows] if stages else []


def write_findings(
    out: Path, deltas: Sequence[int], seeds: Mapping[str, Sequence[int]], first: int = 0
) -> dict[str, int]:
    """Write `seeds.csv`, `delta.csv` and `cost.csv` into `out/report`, those with something to say; rows per file."""
    counts = {}
    tables = {"seeds": seed_rows(out, seeds, first), "delta": delta_rows(out, deltas), "cost": cost_rows(out)}
    for name, rows in tables.items():
        counts[name] = len(rows)
        if not rows:
            continue
        columns = list(rows[0])
        text = to_csv(({key: _short(row.get(key)) for key in columns} for row in rows), columns)
        (out / "report" / f"{name}.csv").write_text(text, encoding="utf-8")
    return counts


def _short(value: Any) -> Any:
    return round(value, 3) if isinstance(value, float) else value
