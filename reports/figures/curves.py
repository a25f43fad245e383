"""Accuracy against TPF, one task and cohort: measured points, straight segments, interval bars, nothing invented."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from reports.aup import kept
from reports.cohort import Member, curve, members_points
from reports.figures.base import Labels, canvas, halo
from reports.formats import number
from reports.model import Cohort, Point
from reports.style import DASHES, Theme, color, title


def task_curves(cohort: Cohort, points: Sequence[Point], task: str, heading: str, theme: Theme, drop: float) -> Figure:
    """One figure. Hollow: nominal TPF. Crossed out, faint: dropped by AUP. Shaded: dropped for every curve."""
    here = members_points(points, cohort)
    lines = {member: curve(here, cohort.suite, task, member) for member in cohort.methods}
    lines = {member: own for member, own in lines.items() if own}
    above = far_above(lines, drop)
    inside = {member: own for member, own in lines.items() if member not in above}
    figure, axes = canvas(theme, heading, _subtitle(cohort, task, lines))
    _limits(axes, inside, None if above else cohort.y_max[task], drop)
    _ground(axes, inside, cohort.y_max[task], drop, theme)
    segments: list[Any] = []
    for member, own in inside.items():
        segments += _draw(axes, member, own, theme, drop)
    axes.set_xlabel("tokens per forward (TPF)")
    axes.set_ylabel("accuracy, %")
    labels = Labels(axes, [point.pair for own in inside.values() for point in own], segments)
    for index, (member, own) in enumerate(above.items()):
        _off_scale(axes, f"{_name(member, lines)}: {own[0].accuracy:g}", index, color(member[0], theme))
    for member, own in sorted(inside.items(), key=lambda item: -item[1][-1].tpf):
        end = kept([point.pair for point in own], drop)[-1]
        labels.put(*end, _name(member, lines), color(member[0], theme))
    return figure


def far_above(lines: Mapping[Member, list[Point]], drop: float) -> dict[Member, list[Point]]:
    """Single-point rows so far above all others that the others would be squeezed: they are named at the top edge."""
    rest = {member: own for member, own in lines.items() if len(own) > 1}
    if not rest:
        return {}
    top = max(point.accuracy for own in rest.values() for point in own)
    height = top - min(own[0].accuracy - drop for own in rest.values())
    return {m: own for m, own in lines.items() if m not in rest and own[0].accuracy > top + 0.5 * height}


def _off_scale(axes: Axes, text: str, number: int, shade: str) -> None:
    label = axes.annotate(
        f"▲ {text} (above this axis)",
        (0.012, 0.965 - 0.06 * number),
        xycoords="axes fraction",
        va="center",
        fontsize=8.4,
        fontweight="bold",
        color=shade,
    )
    halo(label, axes)


def _name(member: Member, lines: Mapping[Member, Any]) -> str:
    twice = sum(other[0] == member[0] for other in lines) > 1
    return title(member[0]) + (f" ({member[1].removeprefix('published:')})" if twice else "")


def _subtitle(cohort: Cohort, task: str, lines: Mapping[Member, Sequence[Point]]) -> str:
    sizes = sorted({point.n_samples for own in lines.values() for point in own if point.n_samples})
    n = f"n = {sizes[0]}" if len(sizes) == 1 else f"n = {sizes[0]} to {sizes[-1]}" if sizes else "n not stated"
    hollow = "   ○ TPF typed in as 1" if any(point.nominal for own in lines.values() for point in own) else ""
    parts = (cohort.suite, f"cohort {cohort.name}", f"y_max {number(cohort.y_max[task])}", n, "bars: 95 % intervals")
    return "   ".join(parts) + hollow


def _limits(axes: Axes, lines: Mapping[Member, Sequence[Point]], y_max: float | None, drop: float) -> None:
    every = [point for own in lines.values() for point in own]
    floor = min(own[0].accuracy for own in lines.values()) - drop
    low = min([floor, *(point.accuracy if point.acc_lo is None else point.acc_lo for point in every)])
    tops = (point.accuracy if point.acc_hi is None else point.acc_hi for point in every)
    high = max([y_max or 0.0, 5.0, *tops])  # all at 0 %: 0 to 5, not -1 to 1
    margin = max(1.2, 0.07 * (high - low))
    right = max(point.tpf for point in every)
    left = min(1.0, *(point.tpf for point in every)) if len(every) > 1 else min(1.0, every[0].tpf)
    span = max(right - left, 0.5)
    axes.set_xlim(left - 0.05 * span, right + 0.16 * span)
    # y_max None: rows above the axis are named at its top and need a line of room each
    room = margin if y_max is not None else margin + 0.07 * (high - low + 2 * margin)
    axes.set_ylim(max(low - margin, -0.03 * high), min(high + room, 104))


def _ground(axes: Axes, lines: Mapping[Member, Sequence[Point]], y_max: float, drop: float, theme: Theme) -> None:
    floor = min(own[0].accuracy for own in lines.values()) - drop
    bottom = axes.get_ylim()[0]
    _best(axes, y_max, theme)
    if floor <= max(bottom, 0.0):
        return  # nothing can fall below a floor at or under 0 %
    axes.axhspan(bottom, floor, facecolor=theme.shade, edgecolor=theme.grid, hatch="////", linewidth=0, zorder=0)
    axes.text(
        0.992,
        (floor - bottom) / (axes.get_ylim()[1] - bottom) / 2,
        f"more than {drop:g} below the first point of every curve: dropped from AUP",
        transform=axes.transAxes,
        ha="right",
        va="center",
        fontsize=7.6,
        color=theme.faint,
    )


def _best(axes: Axes, y_max: float, theme: Theme) -> None:
    if max(axes.get_ylim()[0], 0.0) < y_max < axes.get_ylim()[1]:
        axes.axhline(y_max, color=theme.faint, linewidth=0.8, linestyle=(0, (1, 2)), zorder=1)
        note = axes.text(axes.get_xlim()[1], y_max, "y_max ", ha="right", va="bottom", fontsize=7.6, color=theme.faint)
        halo(note, axes)


def _draw(axes: Axes, member: Member, own: Sequence[Point], theme: Theme, drop: float) -> list[Any]:
    shade, style = color(member[0], theme), theme.look(member[0])
    good = set(kept([point.pair for point in own], drop))
    used = [point for point in own if point.pair in good]
    dropped = [point for point in own if point.pair not in good]
    axes.plot(*_xy(used), color=shade, linewidth=1.9, linestyle=DASHES[style.dash], zorder=3, solid_capstyle="round")
    axes.add_collection(LineCollection(_bars(used), colors=shade, linewidths=1.1, alpha=0.32, zorder=2))
    size = 11 if style.marker == "*" else 7
    for nominal in (True, False):
        look_: dict[str, Any] = {
            "color": shade,
            "markerfacecolor": theme.ground if nominal else shade,
            "markeredgewidth": 1.5,
        }
        for points, alpha in ((used, 1.0), (dropped, 0.45)):
            marked = [point for point in points if point.nominal == nominal]
            if marked:
                axes.plot(*_xy(marked), style.marker, markersize=size, alpha=alpha, zorder=4, **look_)
    if dropped:
        axes.plot(*_xy(dropped), "x", markersize=8, color=theme.faint, markeredgewidth=1.0, zorder=5)
    return [(a.pair, b.pair) for a, b in pairwise(used)]


def _xy(points: Sequence[Point]) -> tuple[list[float], list[float]]:
    return [point.tpf for point in points], [point.accuracy for point in points]


def _bars(points: Sequence[Point]) -> list[list[tuple[float, float]]]:
    """The interval bars of accuracy (upright) and TPF (lying), where there are intervals."""
    bars = []
    for point in points:
        if point.acc_lo is not None and point.acc_hi is not None:
            bars.append([(point.tpf, point.acc_lo), (point.tpf, point.acc_hi)])
        if point.tpf_lo is not None and point.tpf_hi is not None:
            bars.append([(point.tpf_lo, point.accuracy), (point.tpf_hi, point.accuracy)])
    return bars
