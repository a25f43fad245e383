"""Intervals of one run: Wilson for an accuracy, a bootstrap over samples for a ratio of sums.

Sources: Wilson 1927 (score interval); Efron 1987, "Better bootstrap confidence intervals" (BCa).
"""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
_CHUNK = 2_000_000  # weights drawn at a time: 16 MB


def _z(confidence: float) -> float:
    return NormalDist().inv_cdf(0.5 + confidence / 2)


def wilson(k: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """The score interval, in percent, of `k` successes in `n` trials.

    Never leaves 0 to 100 and has a width at 0 and at 100 percent. Without trials nothing is known: (0, 100).
    Raises ValueError unless 0 <= k <= n.
    """
    if not 0 <= k <= n:
        raise ValueError(f"{k} of {n} is not a count of successes.")
    if n == 0:
        return 0.0, 100.0
    z, p = _z(confidence), k / n
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    low = 0.0 if k == 0 else max(0.0, centre - half)
    high = 1.0 if k == n else min(1.0, centre + half)
    return 100.0 * float(low), 100.0 * float(high)


def resample_weights(n: int, draws: int, seed: int) -> list[Array]:
    """How often each of `n` documents is drawn in each of `draws` resamplings, as blocks of `[some draws, n]`."""
    rng = np.random.default_rng(seed)
    rows = max(1, _CHUNK // max(n, 1))
    sizes = [min(rows, draws - start) for start in range(0, draws, rows)]
    return [_draw(rng, n, size) for size in sizes]


def _draw(rng: np.random.Generator, n: int, draws: int) -> Array:
    picks = rng.integers(0, n, size=(draws, n)) + np.arange(draws)[:, None] * n
    return np.bincount(picks.ravel(), minlength=draws * n).reshape(draws, n).astype(float)


def bootstrap_ratio(
    tokens: ArrayLike, forwards: ArrayLike, seed: int = 0, draws: int = 2000, confidence: float = 0.95
) -> tuple[float, float]:
    """The BCa bootstrap interval of sum(tokens) / sum(forwards), resampling samples.

    tokens, forwards: one number per sample, `[n]`. With fewer than two samples, or no forward at all, nothing is known
    of the spread: (nan, nan). Raises ValueError if the lengths differ.
    """
    top, bottom = np.asarray(tokens, dtype=float), np.asarray(forwards, dtype=float)
    if top.shape != bottom.shape or top.ndim != 1:
        raise ValueError("tokens and forwards must be two lists of the same length.")
    if len(top) < 2 or bottom.sum() <= 0:
        return float("nan"), float("nan")
    ratios = np.concatenate([_ratio(w @ top, w @ bottom) for w in resample_weights(len(top), draws, seed)])
    left_out = _ratio(top.sum() - top, bottom.sum() - bottom)
    return bca(ratios, top.sum() / bottom.sum(), left_out, confidence)


def _ratio(top: Array, bottom: Array) -> Array:
    return np.divide(top, bottom, out=np.full_like(top, np.nan, dtype=float), where=bottom > 0)


def bca(replicates: Array, estimate: float, jackknife: Array, confidence: float = 0.95) -> tuple[float, float]:
    """Bias-corrected, accelerated percentiles of bootstrap `replicates` (nan ones are left out).

    jackknife: the estimate with each sample left out once, `[n]`; its skew gives the acceleration (Efron, eq. 6.6).
    """
    replicates = replicates[np.isfinite(replicates)]
    if not len(replicates):
        return float("nan"), float("nan")
    normal = NormalDist()
    below = (np.sum(replicates < estimate) + 0.5 * np.sum(replicates == estimate)) / len(replicates)
    bias = normal.inv_cdf(float(np.clip(below, 1e-6, 1 - 1e-6)))
    influence = np.nanmean(jackknife) - jackknife[np.isfinite(jackknife)]
    spread = float(np.sum(influence**2))
    accel = float(np.sum(influence**3)) / (6 * spread**1.5) if spread > 0 else 0.0
    return tuple(  # type: ignore[return-value]
        float(np.quantile(replicates, normal.cdf(bias + (bias + z) / (1 - accel * (bias + z)))))
        for z in (-_z(confidence), _z(confidence))
    )


def percentile(replicates: Array, confidence: float = 0.95) -> tuple[float, float]:
    """The plain percentile interval of bootstrap `replicates` (nan ones are left out)."""
    finite = replicates[np.isfinite(replicates)]
    if not len(finite):
        return float("nan"), float("nan")
    low, high = np.quantile(finite, [0.5 - confidence / 2, 0.5 + confidence / 2])
    return float(low), float(high)
