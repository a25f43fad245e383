"""The joint bootstrap of AUP: one resampling of documents for every point of every method of a task.

Points of one curve, and curves of one cohort, are measured on the same documents, so their errors are tied: a hard
document lowers all of them. Resampling documents once per draw, for all points and methods, keeps the tie; y_max, the
best accuracy of the cohort, is taken anew in every draw. AUP itself is defined in d3LLM (arXiv 2601.07568).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from harness.stats.intervals import percentile, resample_weights
from harness.stats.samples import Samples

Array = NDArray[np.float64]
AupRows = Callable[[Array, Array, Array], Array]


def aup_rows(tpf: Array, accuracy: Array, y_max: Array, alpha: float = 3.0, drop: float = 5.0) -> Array:
    """AUP of many curves at once: `tpf`, `accuracy` (percent) are `[draws, points]`, `y_max` is `[draws]`.

    The vectorised form of `reports.aup.aup` (a test holds them equal): points are sorted by TPF, those more than
    `drop` below the first are left out, the first term is tpf_1 * accuracy_1 without weight.
    """
    order = np.lexsort((accuracy, tpf), axis=-1)
    rho, y = np.take_along_axis(tpf, order, -1), np.take_along_axis(accuracy, order, -1)
    share = np.divide(y, y_max[:, None], out=np.zeros_like(y), where=y_max[:, None] > 0)
    weighted = y * np.minimum(np.exp(-alpha * (1 - share)), 1.0)
    area = rho[:, 0] * y[:, 0]
    last_rho, last_value = rho[:, 0].copy(), weighted[:, 0].copy()
    for j in range(1, rho.shape[1]):
        kept = y[:, j] >= y[:, 0] - drop
        area += np.where(kept, (rho[:, j] - last_rho) * (weighted[:, j] + last_value) / 2, 0.0)
        last_rho, last_value = np.where(kept, rho[:, j], last_rho), np.where(kept, weighted[:, j], last_value)
    return area


def bootstrap_aups(
    curves: Mapping[str, Sequence[Samples]],
    *,
    constant: Sequence[float] = (),
    aup: AupRows = aup_rows,
    draws: int = 2000,
    seed: int = 0,
) -> dict[str, Array]:
    """AUP of every curve in every draw, `{method: [draws]}`; the draws are shared, so differences of two are paired.

    curves: the points of each method on one task. constant: accuracies (percent) of the cohort's points without
    samples, such as published ones, which hold y_max up but are not resampled. A document that a point lacks does
    not count for that point. Raises ValueError if a curve has no point or a point no sample.
    """
    points = [(name, point) for name, curve in curves.items() for point in curve]
    if any(not curve for curve in curves.values()) or any(not len(point) for _, point in points):
        raise ValueError("Every curve needs a point and every point a sample.")
    docs = {doc: i for i, doc in enumerate(dict.fromkeys(doc for _, point in points for doc in point.doc_ids))}
    present, correct, tokens, forwards = _matrices([point for _, point in points], docs)
    owner = np.array([name for name, _ in points])
    parts: dict[str, list[Array]] = {name: [] for name in curves}
    for weights in resample_weights(len(docs), draws, seed):
        accuracy = 100.0 * _divide(weights @ correct, weights @ present)
        tpf = _divide(weights @ tokens, weights @ forwards)
        best = np.maximum(accuracy.max(axis=1), max(constant, default=0.0))
        for name in curves:
            mine = owner == name
            parts[name].append(aup(tpf[:, mine], accuracy[:, mine], best))
    return {name: np.concatenate(part) for name, part in parts.items()}


def bootstrap_aup(
    curves: Mapping[str, Sequence[Samples]],
    *,
    constant: Sequence[float] = (),
    aup: AupRows = aup_rows,
    draws: int = 2000,
    seed: int = 0,
    confidence: float = 0.95,
) -> dict[str, tuple[float, float]]:
    """The joint bootstrap's percentile interval of every curve's AUP. Arguments as in `bootstrap_aups`."""
    drawn = bootstrap_aups(curves, constant=constant, aup=aup, draws=draws, seed=seed)
    return {name: percentile(values, confidence) for name, values in drawn.items()}


def _matrices(points: Sequence[Samples], docs: Mapping[str, int]) -> tuple[Array, Array, Array, Array]:
    """`present, correct, tokens, forwards`, each `[documents, points]` with zeros where a point lacks the document."""
    out = np.zeros((4, len(docs), len(points)))
    for j, point in enumerate(points):
        rows = np.array([docs[doc] for doc in point.doc_ids])
        out[:, rows, j] = np.stack([np.ones(len(point)), point.correct, point.tokens, point.forwards])
    return out[0], out[1], out[2], out[3]


def _divide(top: Array, bottom: Array) -> Array:
    # a draw in which a point has no document at all: only with points that share few documents
    return np.divide(top, bottom, out=np.zeros_like(top), where=bottom > 0)
