"""How biased are AUP and clipped AUP, do their intervals cover, and which differences do they detect? A simulation.

    python benchmarks/aup.py [--runs 400] [--draws 1000] [--documents 250,1000] [--json]

The truth is results/mini/points.csv: the measured points of the rows below are taken as the true TPF and accuracy of
their settings. A simulated benchmark draws documents with a difficulty that all points share (nine of ten documents
follow it, the rest is luck), log-normal lengths and gamma-distributed speed, for four tasks. From it come, as from a
real one, every row's AUP and clipped AUP with y_max of the cohort, their joint-bootstrap intervals, and the paired test
of two rows' means over tasks. Exit code 1 if an interval of clipped AUP covers less than 93 or more than 97 percent.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from harness import stats

POINTS = Path(__file__).resolve().parent.parent / "results" / "mini" / "points.csv"
ROWS = ("ar", "vanilla", "multi_block", "d2f", "dparallel", "d3llm", "tad_quality", "tad_speed")
PAIRS = (("d3llm", "tad_speed"), ("tad_speed", "tad_quality"), ("d3llm", "multi_block"), ("dparallel", "multi_block"))
AREAS = {"aup": stats.aup_rows, "aup_clipped": stats.clipped_aup_rows}
SEED_SD = 2.5  # accuracy between training seeds, percentage points: results/mini/seeds.csv has 0.8 to 3.6
FOLLOWS = 0.9  # share of documents whose outcome follows their difficulty
Truth = Mapping[str, Mapping[str, np.ndarray]]


def truth() -> dict[str, dict[str, np.ndarray]]:
    """Task -> row -> its points `[points, 2]` (TPF, accuracy in percent), by TPF."""
    found: dict[str, dict[str, list[tuple[float, float]]]] = {}
    with POINTS.open(encoding="utf-8", newline="") as file:
        for line in csv.DictReader(file):
            if line["method"] in ROWS:
                point = float(line["tpf"]), float(line["accuracy"])
                found.setdefault(line["task"], {}).setdefault(line["method"], []).append(point)
    return {task: {row: np.array(sorted(points)) for row, points in rows.items()} for task, rows in found.items()}


def simulate(
    rng: np.random.Generator, documents: int, true: Truth, shifts: Mapping[str, Sequence[float]]
) -> dict[str, dict[str, list[dict[str, stats.Samples]]]]:
    """One benchmark: task -> row -> per point, training seed -> samples. shifts: row -> accuracy shift per seed."""
    names = tuple(map(str, range(documents)))
    out: dict[str, dict[str, list[dict[str, stats.Samples]]]] = {}
    for task, rows in true.items():
        difficulty, tokens = rng.random(documents), np.ceil(rng.lognormal(3.5, 0.4, documents))
        out[task] = {}
        for row, points in rows.items():
            out[task][row] = []
            for tpf, accuracy in points:
                replicas = {}
                for seed, shift in enumerate(shifts.get(row, [0.0])):
                    luck = np.where(rng.random(documents) < FOLLOWS, difficulty, rng.random(documents))
                    right = (luck < np.clip(accuracy + shift, 0, 100) / 100).astype(float)
                    forwards = tokens * rng.gamma(6.0, 1 / (6.0 * tpf), documents)
                    replicas[str(seed)] = stats.Samples(names, right, tokens, forwards)
                out[task][row].append(replicas)
    return out


def areas(points: Truth, y_max: Mapping[str, float] | None = None) -> dict[str, dict[tuple[str, str], float]]:
    """Metric -> (task, row) -> area; y_max of the cohort unless given."""
    found: dict[str, dict[tuple[str, str], float]] = {metric: {} for metric in AREAS}
    for task, rows in points.items():
        best = y_max[task] if y_max else max(curve[:, 1].max() for curve in rows.values())
        for row, curve in rows.items():
            for metric, area in AREAS.items():
                value = area(curve[None, :, 0], curve[None, :, 1], np.array([best]))
                found[metric][task, row] = float(value[0])
    return found


def measured(benchmark: Mapping[str, Mapping[str, Sequence[Mapping[str, stats.Samples]]]]) -> Truth:
    """The points that a benchmark gives, as `truth` has them."""

    def point(replicas: Mapping[str, stats.Samples]) -> tuple[float, float]:
        pooled = stats.pool_seeds(list(replicas.values()))
        return pooled.tpf, pooled.accuracy

    return {
        task: {row: np.array([point(replicas) for replicas in own]) for row, own in rows.items()}
        for task, rows in benchmark.items()
    }


def run(documents: int, runs: int, draws: int, seeds: int = 1, start: int = 0) -> dict[str, Any]:
    """`runs` simulated benchmarks of `documents` documents a task; seeds: training seeds per distilled row.

    Gives estimates [runs, task-rows], hits of intervals and of mean intervals, and per pair hits and p values.
    """
    true = truth()
    tasks, rng = tuple(true), np.random.default_rng([start, documents, seeds])
    exact = areas(true)
    top = {task: max(curve[:, 1].max() for curve in rows.values()) for task, rows in true.items()}
    keep: dict[str, Any] = {"y_max": [], **{name: {m: [] for m in AREAS} for name in ("estimate", "fixed", "inside")}}
    keep |= {name: {m: [] for m in AREAS} for name in ("mean_inside", "pair_inside", "p")}
    for number in range(runs):
        shifts = {
            row: list(rng.normal(0, SEED_SD, seeds))
            for row in ROWS
            if seeds > 1 and row not in ("ar", "vanilla", "multi_block")
        }
        benchmark = simulate(rng, documents, true, shifts)
        points = measured(benchmark)
        estimate, fixed = areas(points), areas(points, top)
        curves = {task: stats.TaskCurves(benchmark[task], AREAS) for task in tasks}
        drawn = stats.draw_rows(curves, draws, seed=number)
        keep["y_max"].append([max(c[:, 1].max() for c in points[task].values()) - top[task] for task in tasks])
        for metric in AREAS:
            keep["estimate"][metric].append(list(estimate[metric].values()))
            keep["fixed"][metric].append(list(fixed[metric].values()))
            _intervals(keep, metric, drawn[metric], exact[metric], estimate[metric], tasks)
    keep["exact"] = exact
    return keep


def _intervals(
    keep: dict[str, Any],
    metric: str,
    drawn: stats.RowDraws,
    exact: Mapping[tuple[str, str], float],
    estimate: Mapping[tuple[str, str], float],
    tasks: Sequence[str],
) -> None:
    inside = []
    for (task, row), value in exact.items():
        low, high = stats.percentile(drawn.on(task, row))
        inside.append(low <= value <= high)
    keep["inside"][metric].append(inside)
    mean = {row: float(np.mean([exact[task, row] for task in tasks])) for row in ROWS}
    keep["mean_inside"][metric].append(
        [low <= mean[row] <= high for row in ROWS for low, high in [stats.percentile(drawn.mean(row))]]
    )
    hits, ps = [], []
    for a, b in PAIRS:
        gap = float(np.mean([estimate[task, a] - estimate[task, b] for task in tasks]))
        found = stats.row_difference(drawn, a, b, gap, tasks)
        hits.append(found.low <= mean[a] - mean[b] <= found.high)
        ps.append(found.p)
    keep["pair_inside"][metric].append(hits)
    keep["p"][metric].append(ps)


def summary(kept: Mapping[str, Any]) -> dict[str, Any]:
    """Bias as a ratio to the truth, coverage and power in percent, per metric."""
    out: dict[str, Any] = {"y_max_bias": np.mean(kept["y_max"], axis=0).round(2).tolist()}
    for metric, exact in kept["exact"].items():
        true = np.array(list(exact.values()))
        ratio = np.mean(kept["estimate"][metric], axis=0) / true
        fixed = np.mean(kept["fixed"][metric], axis=0) / true
        spread = np.std(kept["estimate"][metric], axis=0) / true
        cells = [f"{task} {row}" for task, row in exact]
        out[metric] = {
            "bias": dict(zip(cells, ratio.round(3).tolist(), strict=True)),
            "bias_with_true_y_max": dict(zip(cells, fixed.round(3).tolist(), strict=True)),
            "bias_lowest": float(ratio.min().round(3)),
            "bias_highest": float(ratio.max().round(3)),
            "bias_mean_absolute": float(np.abs(ratio - 1).mean().round(4)),
            "y_max_part": float((ratio - fixed).mean().round(4)),
            "spread_mean": float(spread.mean().round(3)),
            "cell_coverage": float((100 * np.mean(kept["inside"][metric])).round(1)),
            "cell_coverage_lowest": float((100 * np.mean(kept["inside"][metric], axis=0)).min().round(1)),
            "mean_coverage": float((100 * np.mean(kept["mean_inside"][metric])).round(1)),
            "difference_coverage": float((100 * np.mean(kept["pair_inside"][metric])).round(1)),
            "power": {
                f"{a} - {b}": float(value)
                for (a, b), value in zip(
                    PAIRS, (100 * np.mean(np.array(kept["p"][metric]) < 0.05, axis=0)).round(1), strict=True
                )
            },
        }
    return out


def show(name: str, found: Mapping[str, Any]) -> None:
    """One configuration as text."""
    print(f"\n{name}: y_max is {found['y_max_bias']} points above the true one")
    for metric in AREAS:
        row = found[metric]
        power = ", ".join(f"{pair} {value:g} %" for pair, value in row["power"].items())
        print(
            f"  {metric}: estimate / truth {row['bias_lowest']} to {row['bias_highest']} "
            f"(mean distance {row['bias_mean_absolute']}, of which y_max {row['y_max_part']}); "
            f"spread {row['spread_mean']}"
        )
        print(
            f"    covers: cells {row['cell_coverage']} % (lowest {row['cell_coverage_lowest']} %), means "
            f"{row['mean_coverage']} %, differences {row['difference_coverage']} %; found apart: {power}"
        )


def main() -> int:
    """Simulate with one and with three training seeds and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=400)
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--documents", default="250,1000")
    parser.add_argument("--seeds", default="1,3")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    results = {}
    for seeds in map(int, args.seeds.split(",")):
        for documents in map(int, args.documents.split(",")):
            name = f"{documents} documents, {seeds} training seed{'s' if seeds > 1 else ''}"
            results[name] = summary(run(documents, args.runs, args.draws, seeds))
            if not args.json:
                show(name, results[name])
                sys.stdout.flush()
    if args.json:
        print(json.dumps(results, indent=2))
    covers = [
        found["aup_clipped"][key] for found in results.values() for key in ("mean_coverage", "difference_coverage")
    ]
    return 0 if all(93 <= value <= 97 for value in covers) else 1


if __name__ == "__main__":
    sys.exit(main())
