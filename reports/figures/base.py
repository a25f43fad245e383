"""What all figures share: the theme's settings, a titled canvas, saving as PNG, SVG and PDF, placing direct labels."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text

from harness.store.files import sweep
from reports.style import Theme

FORMATS = ("png", "svg", "pdf")
DPI = 200
SIZE = (5.4, 4.0)  # inches; at a column's width of 3.4 the smallest text has 5 points
FONTS = ["Inter", "Helvetica Neue", "Arial", "Liberation Sans", "DejaVu Sans"]


def settings(theme: Theme) -> dict[str, Any]:
    """matplotlib's rcParams for a theme. Text stays text in SVG and PDF; equal input gives equal files."""
    return {
        "figure.facecolor": theme.ground,
        "savefig.facecolor": theme.ground,
        "axes.facecolor": theme.ground,
        "axes.edgecolor": theme.faint,
        "axes.labelcolor": theme.text,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.linewidth": 0.8,
        "axes.axisbelow": True,
        "axes.grid": True,
        "grid.color": theme.grid,
        "grid.linewidth": 0.7,
        "text.color": theme.text,
        "xtick.color": theme.faint,
        "ytick.color": theme.faint,
        "xtick.labelcolor": theme.text,
        "ytick.labelcolor": theme.text,
        "xtick.major.size": 3,
        "ytick.major.size": 3,
        "font.family": "sans-serif",
        "font.sans-serif": [name for name in FONTS if name in _installed()],
        "font.size": 9.0,
        "text.parse_math": False,
        "svg.fonttype": "none",
        "svg.hashsalt": "harness",
        "pdf.fonttype": 42,
    }


@cache
def _installed() -> set[str]:
    return {font.name for font in matplotlib.font_manager.fontManager.ttflist}


def canvas(
    theme: Theme, title: str, subtitle: str, size: tuple[float, float] = SIZE, polar: bool = False
) -> tuple[Figure, Axes]:
    """A figure with one axes, a bold title and faint lines under it, all aligned left."""
    figure = plt.figure(figsize=size)
    width, height = size
    top = 1 - (0.62 + 0.16 * (1 + subtitle.count("\n"))) / height
    left, bottom = 0.55 / width, 0.48 / height
    box = (0.2, 0.09, 0.6, top - 0.16) if polar else (left, bottom, 1 - left - 0.12 / width, top - bottom)
    axes = figure.add_axes(box, projection="polar" if polar else None)
    figure.text(0.1 / width, 1 - 0.26 / height, title, fontsize=12, fontweight="bold", va="center")
    figure.text(0.1 / width, 1 - 0.43 / height, subtitle, fontsize=8.0, color=theme.faint, va="top", linespacing=1.35)
    return figure, axes


def save(figure: Figure, stem: Path, formats: Sequence[str] = FORMATS) -> list[Path]:
    """Write the figure as STEM.png and so on, and close it."""
    stem.parent.mkdir(parents=True, exist_ok=True)
    sweep(stem.parent)
    paths = []
    for form in formats:
        path = stem.with_name(f"{stem.name}.{form}")
        metadata: dict[str, Any] = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(form, {})
        fresh = path.with_name(f".{path.name}.{os.getpid()}.tmp")  # swept when the next report finds it left behind
        figure.savefig(fresh, format=form, dpi=DPI, metadata=metadata)
        os.replace(fresh, path)
        paths.append(path)
    plt.close(figure)
    return paths


def slug(text: str) -> str:
    """A part of a file name out of any text.

    >>> slug("published:tad"), slug("qwen2.5_7b")
    ('published-tad', 'qwen2.5_7b')
    """
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-.") or "x"


def halo(text: Text, axes: Axes) -> None:
    """A patch in the ground's colour behind text, so that it stays readable on lines (and stays text in SVG)."""
    text.set_bbox({"facecolor": axes.get_facecolor(), "edgecolor": "none", "alpha": 0.8, "pad": 0.8})


class Labels:
    """Puts a name beside each curve's end where it covers least: other names, markers and segments are obstacles."""

    def __init__(self, axes: Axes, points: Sequence[tuple[float, float]], segments: Sequence[Any]) -> None:
        self.axes = axes
        axes.get_xlim(), axes.get_ylim()  # settles a pending autoscale, without which transData is yesterday's
        self.renderer = axes.figure.canvas.get_renderer()  # type: ignore[attr-defined]
        to_pixels = axes.transData.transform
        self.obstacles = to_pixels(np.array(points)) if points else np.empty((0, 2))
        steps = np.linspace(0, 1, 25)[:, None]
        lines = [to_pixels(np.array(a) + (np.array(b) - np.array(a)) * steps) for a, b in segments]
        self.lines = np.concatenate(lines) if lines else np.empty((0, 2))
        self.taken: list[np.ndarray] = []
        self.frame = axes.get_window_extent(self.renderer).extents
        self.points_per_pixel = 72 / axes.figure.dpi

    def put(self, x: float, y: float, text: str, color: str, size: float = 8.4) -> None:
        """Write `text` near the data point (x, y), with a thin leader if it had to move away."""
        anchor = self.axes.transData.transform((x, y))
        label = self.axes.annotate(
            text,
            (x, y),
            xytext=(0, 0),
            textcoords="offset points",
            color=color,
            fontsize=size,
            fontweight="bold",
            va="center",
        )
        halo(label, self.axes)
        extent = label.get_window_extent(self.renderer)
        width, height = extent.width, extent.height
        best = min(self._spots(width, height), key=lambda spot: self._cost(anchor, spot, width, height))
        label.set_position((best[0] * self.points_per_pixel, best[1] * self.points_per_pixel))
        left, bottom = anchor[0] + best[0], anchor[1] + best[1] - height / 2
        box = np.array([left, bottom, left + width, bottom + height])
        self.taken.append(box)
        self._leader(anchor, box, color)

    def _spots(self, width: float, height: float) -> list[tuple[float, float]]:
        """Offsets, in pixels, of the label's left middle from the point, the preferred first."""
        gap = 7 / self.points_per_pixel
        spots = []
        for far in (0.0, 0.9, 1.8, 2.7, 3.7, 4.7, 5.8):
            rise = far * height
            spots += [(gap, rise), (gap, -rise), (-width - gap, rise), (-width - gap, -rise)]
            spots += [(-width / 2, rise + gap + height / 2), (-width / 2, -rise - gap - height / 2)]
        return spots

    def _cost(self, anchor: np.ndarray, spot: tuple[float, float], width: float, height: float) -> float:
        left, bottom = anchor[0] + spot[0], anchor[1] + spot[1] - height / 2
        right, top = left + width, bottom + height
        cost = 0.02 * float(np.hypot(spot[0] if spot[0] > 0 else spot[0] + width, spot[1]))
        cost += 0.25 * (spot[0] < 0)
        for other in self.taken:
            over = max(0.0, min(right, other[2]) - max(left, other[0]) + 3) * max(
                0.0, min(top, other[3]) - max(bottom, other[1]) + 1
            )
            cost += 0.5 * over
        cost += 6.0 * self._inside(self.obstacles, left - 3, bottom - 2, right + 3, top + 2)
        cost += 0.6 * self._inside(self.lines, left, bottom, right, top)
        frame = self.frame
        outside = (
            max(0.0, frame[0] - left)
            + max(0.0, right - frame[2])
            + max(0.0, frame[1] - bottom)
            + max(0.0, top - frame[3])
        )
        return cost + 5.0 * outside

    @staticmethod
    def _inside(points: np.ndarray, left: float, bottom: float, right: float, top: float) -> int:
        x, y = points[:, 0], points[:, 1]
        return int(((x > left) & (x < right) & (y > bottom) & (y < top)).sum())

    def _leader(self, anchor: np.ndarray, box: np.ndarray, color: str) -> None:
        near = np.clip(anchor, box[:2], box[2:])
        distance = float(np.hypot(*(near - anchor)))
        if distance > 1.6 * (box[3] - box[1]):
            back = self.axes.transData.inverted().transform
            start = back(anchor + (near - anchor) * 7 / distance)
            end = back(near)
            self.axes.plot([start[0], end[0]], [start[1], end[1]], color=color, linewidth=0.6, alpha=0.7, zorder=1)
