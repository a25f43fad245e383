"""AUP and clipped AUP of many curves at once, for the bootstrap: the vectorised forms of `reports.aup`.

Source of AUP: d3LLM (arXiv 2601.07568). Clipped AUP is ours and derived in docs/aup.md.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
AreaRows = Callable[[Array, Array, Array], Array]


def aup_rows(tpf: Array, accuracy: Array, y_max: Array, alpha: float = 3.0, drop: float = 5.0) -> Array:
    """AUP of many curves: `tpf`, `accuracy` (percent) are `[draws, points]`, `y_max` is `[draws]`; gives `[draws]`.

    Points are sorted by TPF, those more than `drop` below the first are left out, the first term is
    tpf_1 * accuracy_1 without weight (a test holds this equal to `reports.aup.aup`).
    """
    rho, y, value = _sorted(tpf, accuracy, y_max, alpha)
    area = rho[:, 0] * y[:, 0]
    last_rho, last_value = rho[:, 0].copy(), value[:, 0].copy()
    for j in range(1, rho.shape[1]):
        kept = y[:, j] >= y[:, 0] - drop
        area += np.where(kept, (rho[:, j] - last_rho) * (value[:, j] + last_value) / 2, 0.0)
        last_rho, last_value = np.where(kept, rho[:, j], last_rho), np.where(kept, value[:, j], last_value)
    return area


def clipped_aup_rows(tpf: Array, accuracy: Array, y_max: Array, alpha: float = 3.0, drop: float = 5.0) -> Array:
    """Clipped AUP of many curves; shapes and units as in `aup_rows`.

    The polyline through all points counts up to where it first falls below the first accuracy minus `drop`; that place
    is interpolated (a test holds this equal to `reports.aup.clipped_aup`).
    """
    rho, y, value = _sorted(tpf, accuracy, y_max, alpha)
    floor = y[:, 0] - drop
    floor_value = _weighted(floor, y_max, alpha)
    area, inside = rho[:, 0] * y[:, 0], np.ones(len(rho), dtype=bool)
    for j in range(1, rho.shape[1]):
        falls = y[:, j] < floor
        height = y[:, j - 1] - y[:, j]
        share = np.divide(y[:, j - 1] - floor, height, out=np.ones_like(floor), where=falls & (height > 0))
        width = (rho[:, j] - rho[:, j - 1]) * np.where(falls, share, 1.0)
        end = np.where(falls, floor_value, value[:, j])
        area += np.where(inside, width * (value[:, j - 1] + end) / 2, 0.0)
        inside &= ~falls
    return area


def _sorted(tpf: Array, accuracy: Array, y_max: Array, alpha: float) -> tuple[Array, Array, Array]:
    """TPF, accuracy and accuracy times weight, each `[draws, points]` by TPF (equal TPF: by accuracy)."""
    order = np.lexsort((accuracy, tpf), axis=-1)
    rho, y = np.take_along_axis(tpf, order, -1), np.take_along_axis(accuracy, order, -1)
    return rho, y, _weighted(y, y_max[:, None], alpha)


def _weighted(y: Array, y_max: Array, alpha: float) -> Array:
    share = np.divide(y, y_max, out=np.zeros_like(y), where=y_max > 0)
    return y * np.exp(np.minimum(-alpha * (1 - share), 0.0))
