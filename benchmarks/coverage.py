"""Do the 95 % intervals cover 95 %? Simulates runs whose true accuracy, TPF and AUP are known and counts.

    python benchmarks/coverage.py [--runs 1000] [--draws 2000] [--json]

One simulated benchmark: documents with a difficulty and a length; every point of every method decodes the same
documents, so accuracies of two points are correlated as in a real sweep. Exit code 1 if an interval covers less than
93 or more than 97 percent. Two cases are a curve that ends near AUP's cut (points more than 5 below the first are
dropped): AUP jumps there, its interval is wide on purpose, and only too little coverage counts as a failure; clipped
AUP has no such excuse. The same holds for rows of three training seeds: what a seed does on one document by chance
counts as noise of documents and of seeds. benchmarks/aup.py simulates whole tables.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable

import numpy as np

from harness import stats

# the truth: (tokens per forward, accuracy in percent) of the points of three methods
TRUTH = {
    "ar": [(1.0, 78.0)],
    "slow": [(1.0, 70.0), (2.0, 69.8), (3.5, 69.6)],
    "fast": [(1.2, 66.0), (4.0, 65.8), (6.5, 65.5)],
}
NEAR_CUT = {"ar": [(1.0, 78.0)], "fast": [(1.2, 66.0), (4.0, 65.0), (6.5, 62.5)]}
NEAR_CUT_AUP = "AUP near the cut (joint bootstrap, 500 documents)"
ROWS_OF_SEEDS = "clipped AUP difference of rows of 3 training seeds (300 documents)"
CONSERVATIVE = (NEAR_CUT_AUP, ROWS_OF_SEEDS)
Curves = dict[str, list[tuple[float, float]]]


def simulate(rng: np.random.Generator, documents: int, truth: Curves = TRUTH) -> dict[str, list[stats.Samples]]:
    """One benchmark of `documents` documents drawn from the truth; lengths are skewed as those of real answers."""
    names = tuple(map(str, range(documents)))
    difficulty, tokens = rng.random(documents), np.ceil(rng.lognormal(4.0, 0.6, documents))
    out: dict[str, list[stats.Samples]] = {}
    for method, points in truth.items():
        out[method] = []
        for tpf, accuracy in points:
            # nine of ten documents follow their difficulty, the rest is luck; the marginal accuracy is exact
            luck = np.where(rng.random(documents) < 0.9, difficulty, rng.random(documents))
            forwards = tokens * rng.gamma(4.0, 1 / (4.0 * tpf), documents)
            out[method].append(stats.Samples(names, (luck < accuracy / 100).astype(float), tokens, forwards))
    return out


def true_aup(method: str, truth: Curves = TRUTH, area: stats.AreaRows = stats.aup_rows) -> float:
    """The area of a method's true curve with the true y_max."""
    tpf, accuracy = (np.array([column]) for column in zip(*truth[method], strict=True))
    best = max(accuracy for points in truth.values() for _, accuracy in points)
    return float(area(tpf, accuracy, np.array([best]))[0])


def _wilson(rng: np.random.Generator, draws: int) -> tuple[float, float, float]:
    n, p = int(rng.integers(100, 1320)), float(rng.uniform(0.05, 0.95))
    return (*stats.wilson(int(rng.binomial(n, p)), n), 100 * p)


def _ratio(rng: np.random.Generator, draws: int) -> tuple[float, float, float]:
    point = simulate(rng, 164)["fast"][1]
    return (*stats.bootstrap_ratio(point.tokens, point.forwards, draws=draws), 4.0)


def _accuracy_pair(rng: np.random.Generator, draws: int) -> tuple[float, float, float]:
    runs = simulate(rng, 164)
    pair = stats.paired_accuracy(runs["slow"][0].correct, runs["fast"][1].correct)
    return pair.low, pair.high, TRUTH["slow"][0][1] - TRUTH["fast"][1][1]


def _ratio_pair(rng: np.random.Generator, draws: int) -> tuple[float, float, float]:
    runs = simulate(rng, 164)
    pair = stats.paired_ratio(runs["fast"][1], runs["slow"][1], draws=draws)
    return pair.low, pair.high, 2.0


def _aup(rng: np.random.Generator, draws: int) -> tuple[float, float, float]:
    return (*stats.bootstrap_aup(simulate(rng, 500), draws=draws)["fast"], true_aup("fast"))


def _aup_near_cut(rng: np.random.Generator, draws: int) -> tuple[float, float, float]:
    runs = simulate(rng, 500, NEAR_CUT)
    return (*stats.bootstrap_aup(runs, draws=draws)["fast"], true_aup("fast", NEAR_CUT))


def _clipped_near_cut(rng: np.random.Generator, draws: int) -> tuple[float, float, float]:
    runs = simulate(rng, 500, NEAR_CUT)
    true = true_aup("fast", NEAR_CUT, stats.clipped_aup_rows)
    return (*stats.bootstrap_aup(runs, aup=stats.clipped_aup_rows, draws=draws)["fast"], true)


def _row_pair(rng: np.random.Generator, draws: int) -> tuple[float, float, float]:
    """Two rows of three training seeds each, whose accuracies differ by 3 points between seeds, on 300 documents."""
    models = {"ar": TRUTH["ar"]}
    for method in ("slow", "fast"):
        for seed, shift in enumerate(rng.normal(0, 3, 3)):
            models[f"{method} {seed}"] = [(tpf, accuracy + shift) for tpf, accuracy in TRUTH[method]]
    runs = simulate(rng, 300, models)
    curves: dict[str, list[dict[str, stats.Samples]]] = {"ar": [{"": runs["ar"][0]}]}
    for method in ("slow", "fast"):
        curves[method] = [{str(s): runs[f"{method} {s}"][i] for s in range(3)} for i in range(len(TRUTH[method]))]
    tasks = {"task": stats.TaskCurves(curves, {"aup": stats.clipped_aup_rows})}
    found = stats.row_difference(stats.draw_rows(tasks, draws)["aup"], "fast", "slow", 0.0, ["task"])
    return found.low, found.high, true_aup("fast") - true_aup("slow")


def _aup_pair(rng: np.random.Generator, draws: int) -> tuple[float, float, float]:
    runs = simulate(rng, 500)
    pair = stats.paired_aup(runs["fast"], runs["slow"], cohort={"ar": runs["ar"]}, draws=draws)
    return pair.low, pair.high, true_aup("fast") - true_aup("slow")


def _seeds(rng: np.random.Generator, draws: int) -> tuple[float, float, float]:
    difficulty, names = rng.random(300), tuple(map(str, range(300)))
    runs = []
    for _ in range(3):
        luck = np.where(rng.random(300) < 0.7, difficulty, rng.random(300))
        runs.append(stats.Samples(names, (luck < 0.6).astype(float), np.ones(300), np.ones(300)))
    return (*stats.combine_seeds(runs, draws=draws).accuracy_ci95, 60.0)


CASES: dict[str, Callable[[np.random.Generator, int], tuple[float, float, float]]] = {
    "accuracy (Wilson, 100-1319 documents)": _wilson,
    "TPF (studentised bootstrap, 164 documents)": _ratio,
    "accuracy difference (Newcombe, 164 documents)": _accuracy_pair,
    "TPF difference (paired bootstrap, 164 documents)": _ratio_pair,
    "AUP (joint bootstrap, 500 documents, 7 points)": _aup,
    "AUP difference (joint bootstrap, 500 documents)": _aup_pair,
    "accuracy of 3 seeds (bootstrap, 300 documents)": _seeds,
    NEAR_CUT_AUP: _aup_near_cut,
    "clipped AUP near the cut (joint bootstrap, 500 documents)": _clipped_near_cut,
    ROWS_OF_SEEDS: _row_pair,
}


def coverage(case: str, runs: int = 1000, draws: int = 2000, seed: int = 0) -> dict[str, float]:
    """Percent of `runs` simulated intervals that hold the truth, and on which side the others miss it."""
    rng = np.random.default_rng([seed, list(CASES).index(case)])
    found = np.array([CASES[case](rng, draws) for _ in range(runs)])
    low, high, truth = found.T
    below, above = float(np.mean(truth < low)), float(np.mean(truth > high))
    width = float(np.mean(high - low))
    return {"covered": 100 * (1 - below - above), "too_high": 100 * below, "too_low": 100 * above, "width": width}


def main() -> int:
    """Print the coverage of every interval."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--draws", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    results = {case: coverage(case, args.runs, args.draws, args.seed) for case in CASES}
    if args.json:
        print(json.dumps(results, indent=2))
    else:
        print(f"{'interval':52}{'covers':>8}{'misses: too high':>18}{'too low':>9}{'mean width':>12}")
        for case, row in results.items():
            cells = f"{row['covered']:7.1f}%{row['too_high']:17.1f}%{row['too_low']:8.1f}%{row['width']:12.3f}"
            print(f"{case:52}{cells}")
    return 0 if all(ok(case, row["covered"]) for case, row in results.items()) else 1


def ok(case: str, covered: float) -> bool:
    """Whether a coverage in percent is what an honest 95 % interval may have."""
    return 93 <= covered <= (100 if case in CONSERVATIVE else 97)


if __name__ == "__main__":
    sys.exit(main())
