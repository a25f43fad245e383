"""The joint bootstrap of AUP: one resampling of documents for every point of every row of a task.

Points of one curve, and curves of one cohort, are measured on the same documents, so their errors are tied: a hard
document lowers all of them. Resampling documents once per draw, for all points and rows, keeps the tie; y_max, the
best accuracy of the cohort, is taken again in every draw. Rows with several training seeds may have their seeds
resampled in the same draw (`harness.stats.rows`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.stats.areas import AreaRows, aup_rows
from harness.stats.intervals import percentile, resample_weights
from harness.stats.samples import Samples

Array = NDArray[np.float64]
# one point of a curve: training seed -> its samples; a row without training seeds has one entry
Replicas = Mapping[str, Samples]


@dataclass(frozen=True)
class Drawn:
    """Points of a task in some draws. points: row -> (TPF, accuracy in percent), each `[draws, points]`.

    best: the highest accuracy of all points of the task in the draw, `[draws]`.
    """

    points: Mapping[str, tuple[Array, Array]]
    best: Array

    def areas(self, area: AreaRows) -> dict[str, Array]:
        """`area` of every row, `{row: [draws]}`."""
        return {name: area(tpf, accuracy, self.best) for name, (tpf, accuracy) in self.points.items()}


def joint_draws(
    curves: Mapping[str, Sequence[Replicas]],
    *,
    constant: Sequence[float] = (),
    multiplicity: Sequence[Mapping[str, Array]] = (),
    draws: int = 2000,
    seed: int = 0,
) -> Iterator[list[Drawn]]:
    """The draws in blocks; each block is a list with one `Drawn` per entry of `multiplicity` (one when it is empty).

    curves: row -> its points on one task, all with the same training seeds. constant: accuracies (percent) of the
    cohort's points without samples, which hold y_max up. multiplicity: row -> how often each of its training seeds (in
    the order of its first point) counts in each draw, `[draws, seeds]`; a row that is absent counts each seed once.
    The same documents are drawn for every entry of `multiplicity`, so differences between entries are paired. A
    document that a point lacks does not count for that point. Raises ValueError if a curve has no point or a point no
    sample.
    """
    flat = [samples for points in curves.values() for point in points for samples in point.values()]
    if any(not points or not all(points) for points in curves.values()) or any(not len(s) for s in flat):
        raise ValueError("Every curve needs a point and every point a sample.")
    docs = {doc: i for i, doc in enumerate(dict.fromkeys(doc for samples in flat for doc in samples.doc_ids))}
    present, correct, tokens, forwards = _matrices(flat, docs)
    top = max(constant, default=0.0)
    start = 0
    for weights in resample_weights(len(docs), draws, seed):
        sums = [weights @ matrix for matrix in (correct, present, tokens, forwards)]
        rows = slice(start, start + len(weights))
        yield [
            _drawn(curves, sums, {name: m[rows] for name, m in table.items()}, top) for table in multiplicity or ({},)
        ]
        start += len(weights)


def _drawn(
    curves: Mapping[str, Sequence[Replicas]], sums: Sequence[Array], counts: Mapping[str, Array], top: float
) -> Drawn:
    points: dict[str, tuple[Array, Array]] = {}
    column = 0
    for name, own in curves.items():
        seeds = len(own[0])
        width = len(own) * seeds
        shaped = [part[:, column : column + width].reshape(len(part), len(own), seeds) for part in sums]
        if name in counts:
            shaped = [part * counts[name][:, None, :] for part in shaped]
        correct, present, tokens, forwards = (part.sum(axis=2) for part in shaped)
        points[name] = _divide(tokens, forwards), 100.0 * _divide(correct, present)
        column += width
    best = np.max([accuracy.max(axis=1) for _, accuracy in points.values()], axis=0)
    return Drawn(points, np.maximum(best, top))


def bootstrap_aups(
    curves: Mapping[str, Sequence[Samples]],
    *,
    constant: Sequence[float] = (),
    aup: AreaRows = aup_rows,
    draws: int = 2000,
    seed: int = 0,
) -> dict[str, Array]:
    """AUP of every curve in every draw, `{row: [draws]}`; the draws are shared, so differences of two are paired.

    curves: the points of each row on one task. The other arguments are those of `joint_draws`.
    """
    single = {name: [{"": samples} for samples in points] for name, points in curves.items()}
    blocks = joint_draws(single, constant=constant, draws=draws, seed=seed)
    found = [drawn.areas(aup) for (drawn,) in blocks]
    return {name: np.concatenate([block[name] for block in found]) for name in curves}


def bootstrap_aup(
    curves: Mapping[str, Sequence[Samples]],
    *,
    constant: Sequence[float] = (),
    aup: AreaRows = aup_rows,
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
