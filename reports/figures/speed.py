"""What a forward pass costs: tokens per second against accuracy, and TPF against token positions computed per token."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from matplotlib.figure import Figure

from reports.figures.base import Labels, canvas
from reports.formats import number
from reports.model import Point
from reports.style import DASHES, Theme, color, title


def tps_accuracy(rows: Sequence[Mapping[str, Any]], heading: str, subtitle: str, theme: Theme) -> Figure:
    """One marker per measured speed with an accuracy (rows of one suite, task, source, engine and hardware).

    The settings of one method are joined; its name is printed at its fastest one.
    """
    figure, axes = canvas(theme, heading, subtitle)
    axes.set_xlabel("tokens per second (TPS)")
    axes.set_ylabel("accuracy, %")
    curves = {name: sorted((row for row in rows if row["method"] == name), key=_speed) for name in _methods(rows)}
    segments: list[Any] = []
    for method, own in curves.items():
        xy = [(row["tps"], row["accuracy"]) for row in own]
        style, shade = theme.look(method), color(method, theme)
        axes.plot(*zip(*xy, strict=True), color=shade, linestyle=DASHES[style.dash], linewidth=1.2, alpha=0.7)
        axes.plot(*zip(*xy, strict=True), style.marker, markersize=8, color=shade)
        segments += pairwise(xy)
    axes.set_xlim(0, 1.22 * max(row["tps"] for row in rows))
    values = [row["accuracy"] for row in rows]
    margin = max(1.5, 0.15 * (max(values) - min(values)))
    high = max(5.0, max(values) + margin)
    axes.set_ylim(max(min(values) - margin, -0.06 * high), high)
    labels = Labels(axes, [(row["tps"], row["accuracy"]) for row in rows], segments)
    for method, own in sorted(curves.items(), key=lambda item: -item[1][-1]["tps"]):
        last = own[-1]
        tpf = f"  {number(last['tpf'])} TPF" if last.get("tpf") else ""
        batch = f", batch {last['batch_size']:g}" if (last.get("batch_size") or 1) > 1 else ""
        labels.put(last["tps"], last["accuracy"], title(method) + tpf + batch, color(method, theme))
    return figure


def _methods(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    return list(dict.fromkeys(row["method"] for row in rows))


def _speed(row: Mapping[str, Any]) -> float:
    return float(row["tps"])


def positions(points: Sequence[Point], heading: str, subtitle: str, theme: Theme) -> Figure:
    """TPF against positions per token, both logarithmic: two methods of equal TPF may differ much in work per token."""
    figure, axes = canvas(theme, heading, subtitle)
    axes.set_xlabel("token positions computed per token kept (log scale)")
    axes.set_ylabel("tokens per forward pass, TPF (log scale)")
    axes.set_xscale("log")
    axes.set_yscale("log")
    segments: list[Any] = []
    ends: dict[str, Point] = {}
    for method in dict.fromkeys(point.method for point in points):
        own = sorted((point for point in points if point.method == method), key=lambda point: point.tpf)
        xy = [(point.positions_per_token or 0.0, point.tpf) for point in own]
        style, shade = theme.look(method), color(method, theme)
        axes.plot(*zip(*xy, strict=True), color=shade, linestyle=DASHES[style.dash], linewidth=1.2, alpha=0.7)
        axes.plot(*zip(*xy, strict=True), style.marker, color=shade, markersize=7)
        segments += pairwise(xy)
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
