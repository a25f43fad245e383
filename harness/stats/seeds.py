"""Several seeds of one setting as one point, with the spread between them in view."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.stats.intervals import bootstrap_ratio, percentile, resample_weights, wilson
from harness.stats.samples import Array, Samples


@dataclass(frozen=True)
class SeedSpread:
    """Several seeds combined. accuracy in percent, tpf in tokens per forward, intervals are 95 %.

    accuracy_sd, tpf_sd: sample standard deviation between seeds (n - 1), nan for a single seed.
    accuracy_range, tpf_range: the lowest and highest seed.
    """

    n_seeds: int
    n_samples: int
    accuracy: float
    accuracy_ci95: tuple[float, float]
    accuracy_sd: float
    accuracy_range: tuple[float, float]
    tpf: float
    tpf_ci95: tuple[float, float]
    tpf_sd: float
    tpf_range: tuple[float, float]


def pool_seeds(runs: Sequence[Samples]) -> Samples:
    """Runs that differ in their seed alone as one: per document the mean correctness, all tokens, all forwards.

    A point of a curve with several seeds is this; documents stay what is resampled. Raises ValueError without runs.
    """
    if not runs:
        raise ValueError("There is no seed to combine.")
    docs = {doc: i for i, doc in enumerate(dict.fromkeys(doc for run in runs for doc in run.doc_ids))}
    seen, right, tokens, forwards = np.zeros((4, len(docs)))
    for run in runs:
        rows = np.array([docs[doc] for doc in run.doc_ids], dtype=int)
        for total, values in ((seen, 1.0), (right, run.correct), (tokens, run.tokens), (forwards, run.forwards)):
            total[rows] += values
    return Samples(tuple(docs), right / seen, tokens, forwards, sum(run.unscored for run in runs))


def combine_seeds(runs: Sequence[Samples], seed: int = 0, draws: int = 2000) -> SeedSpread:
    """One point out of runs that differ in their seed alone.

    Accuracy is the mean over documents of the mean over seeds; documents are what is resampled, because seeds of one
    document are not new documents. A single seed gets the Wilson interval, several a bootstrap over documents.
    Raises ValueError without runs.
    """
    pooled = pool_seeds(runs)
    accuracies, tpfs = [run.accuracy for run in runs], [run.tpf for run in runs]
    return SeedSpread(
        n_seeds=len(runs),
        n_samples=sum(map(len, runs)),
        accuracy=pooled.accuracy,
        accuracy_ci95=_accuracy_interval(pooled.correct, seed, draws),
        accuracy_sd=_sd(accuracies),
        accuracy_range=(min(accuracies), max(accuracies)),
        tpf=pooled.tpf,
        tpf_ci95=bootstrap_ratio(pooled.tokens, pooled.forwards, seed, draws),
        tpf_sd=_sd(tpfs),
        tpf_range=(min(tpfs), max(tpfs)),
    )


def _accuracy_interval(rates: Array, seed: int, draws: int) -> tuple[float, float]:
    if np.all((rates == 0) | (rates == 1)):
        # every seed agrees on every document: as much is known as from one seed
        return wilson(int(rates.sum()), len(rates))
    drawn = np.concatenate([weights @ rates for weights in resample_weights(len(rates), draws, seed)])
    return percentile(100.0 * drawn / len(rates))


def _sd(values: Sequence[float]) -> float:
    return float(np.std(values, ddof=1)) if len(values) > 1 else float("nan")
