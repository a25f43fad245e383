"""One rule for an interval and its p value: an interval holds a difference unless the test behind p rejects it.

So "p is under 0.05" and "the interval leaves zero out" are the same statement, always.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def sign_p(draws: Array) -> float:
    """Two-sided bootstrap p of "the difference is zero": twice the rarer sign's share, `(count + 1) / (draws + 1)`."""
    finite = draws[np.isfinite(draws)]
    if not len(finite):
        return 1.0
    side = min(int(np.sum(finite <= 0)), int(np.sum(finite >= 0)))
    return min(1.0, 2 * (side + 1) / (len(finite) + 1))


def rank_interval(draws: Array, confidence: float = 0.95) -> tuple[float, float]:
    """The values that `sign_p` of the shifted draws does not reject: a percentile interval between two ranks.

    Draws that are not finite are left out; with too few to reject anything the interval is (-inf, inf), and (nan, nan)
    without any.
    """
    values = np.sort(draws[np.isfinite(draws)])
    if not len(values):
        return math.nan, math.nan
    # p < 1 - confidence as long as fewer than `place` draws lie on the far side
    place = math.ceil((1 - confidence) / 2 * (len(values) + 1) - 1e-9) - 1
    if place < 1:
        return -math.inf, math.inf
    return float(values[place - 1]), float(values[len(values) - place])
