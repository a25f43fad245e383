"""What a forward costs: tokens per second against accuracy, and TPF against token positions computed per token."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

from reports.figures.base import Labels, canvas
from reports.model import Point
from reports.style import DASHES, Theme, color, look, title


def tps_accuracy(rows: Sequence[Mapping[str, Any]], heading: str, subtitle: str, theme: Theme) -> Figure:
    """One marker per measured speed with an accuracy (rows of one suite, task, source, engine and hardware)."""
    figure, axes = canvas(theme, heading, subtitle)
    axes.set_xlabel("tokens per second (TPS)")
    axes.set_ylabel("accuracy, %")
    for row in rows:
        axes.plot(
            row["tps"], row["accuracy"], look(row["method"]).marker, markersize=9, color=color(row["method"], theme)
        )
    high = max(row["tps"] for row in rows)
    axes.set_xlim(0, 1.22 * high)
    values = [row["accuracy"] for row in rows]
    margin = max(1.5, 0.15 * (max(values) - min(values)))
    axes.set_ylim(min(values) - margin, max(values) + margin)
    labels = Labels(axes, [(row["tps"], row["accuracy"]) for row in rows], [])
    for row in sorted(rows, key=lambda row: -row["tps"]):
        tpf = f"  {row['tpf']:g} TPF" if row.get("tpf") else ""
        batch = f", batch {row['batch_size']:g}" if (row.get("batch_size") or 1) > 1 else ""
        labels.put(row["tps"], row["accuracy"], title(row["method"]) + tpf + batch, color(row["method"], theme))
    return figure


def positions(points: Sequence[Point], heading: str, subtitle: str, theme: Theme) -> Figure:
    """TPF against positions per token, both logarithmic: two methods of equal TPF may differ much in work per token."""
    figure, axes = canvas(theme, heading, subtitle)
    axes.set_xlabel("token positions computed per token kept (log scale)")
    axes.set_ylabel("tokens per forward, TPF (log scale)")
    axes.set_xscale("log")
    axes.set_yscale("log")
    segments = []
    ends: dict[str, Point] = {}
    for method in dict.fromkeys(point.method for point in points):
        own = sorted((point for point in points if point.method == method), key=lambda point: point.tpf)
        xy = [(point.positions_per_token or 0.0, point.tpf) for point in own]
        style, shade = look(method), color(method, theme)
        axes.plot(*zip(*xy, strict=True), color=shade, linestyle=DASHES[style.dash], linewidth=1.2, alpha=0.7)
        axes.plot(*zip(*xy, strict=True), style.marker, color=shade, markersize=7)
        segments += list(zip(xy, xy[1:], strict=False))
        ends[method] = own[-1]
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter("{x:g}")
        axis.set_minor_formatter("{x:g}")
        axis.set_tick_params(which="minor", labelsize=7.5)
    axes.margins(x=0.16, y=0.12)
    labels = Labels(axes, [(point.positions_per_token or 0.0, point.tpf) for point in points], segments)
    for method, point in ends.items():
        labels.put(point.positions_per_token or 0.0, point.tpf, title(method), color(method, theme))
    return figure
