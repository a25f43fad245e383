"""Accuracy against TPF: every measured point, straight segments between them, solid where clipped AUP counts.

One figure per task with names at the curves, and one of all tasks as small multiples with a legend.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from reports.aup import Pair, reach
from reports.cohort import Member, curve, members_points
from reports.figures.base import Labels, canvas, halo
from reports.figures.focus import in_focus, shade
from reports.formats import number
from reports.model import Cohort, LeaderRow, Point
from reports.style import Theme, title

Lines = dict[Member, list[Point]]
BEHIND: Any = (0, (3, 2))  # the dashes of a curve behind its cut


def task_curves(
    cohort: Cohort,
    points: Sequence[Point],
    task: str,
    heading: str,
    theme: Theme,
    drop: float,
    leaders: Sequence[LeaderRow] = (),
) -> Figure:
    """One task. Solid: counted by clipped AUP. Dashed: behind the cut. Hollow: nominal TPF. Bands: 95 % intervals."""
    lines = _lines(cohort, points, task)
    focus = [member for member in in_focus(cohort, leaders) if member in lines] or list(lines)
    above = far_above(lines, drop)
    inside = {member: own for member, own in lines.items() if member not in above}
    figure, axes = canvas(theme, heading, _subtitle(cohort, task, lines, focus))
    _limits(axes, inside, None if above else cohort.y_max[task], 0.24)
    _best(axes, cohort.y_max[task], theme)
    segments: list[Any] = []
    for member in sorted(inside, key=lambda member: member in focus):
        segments += draw_curve(axes, inside[member], shade(member, focus, theme), theme, drop, member in focus)
    axes.set_xlabel("tokens per forward pass (TPF)")
    axes.set_ylabel("accuracy, %")
    named = [member for member in focus if member in inside]
    labels = Labels(axes, [point.pair for member in named for point in inside[member]], segments)
    for index, (member, own) in enumerate(above.items()):
        _off_scale(axes, f"{_name(member, lines)}: {own[0].accuracy:g}", index, shade(member, list(above), theme))
    for member in sorted(named, key=lambda member: -inside[member][-1].tpf):
        labels.put(*inside[member][-1].pair, _name(member, lines), shade(member, focus, theme))
    return figure


def curve_panels(
    cohort: Cohort,
    points: Sequence[Point],
    titles: Mapping[str, str],
    theme: Theme,
    drop: float,
    leaders: Sequence[LeaderRow] = (),
) -> Figure:
    """All tasks of a cohort, a panel each, with one legend for the rows in colour."""
    columns = 2 if len(cohort.tasks) > 1 else 1
    rows = -(-len(cohort.tasks) // columns)
    size = (3.5 * columns, 0.95 + 2.25 * rows + 0.45)
    focus = in_focus(cohort, leaders)
    figure = plt.figure(figsize=size)
    grid = figure.subplots(rows, columns, squeeze=False)
    figure.subplots_adjust(
        left=0.52 / size[0], right=1 - 0.1 / size[0], top=1 - 0.82 / size[1], bottom=0.85 / size[1], hspace=0.42
    )
    figure.text(0.1 / size[0], 1 - 0.24 / size[1], "Accuracy against parallelism", fontsize=12, fontweight="bold")
    note = f"{cohort.suite}   cohort {cohort.name}   solid: counted by clipped AUP; dashed: behind the cut"
    figure.text(0.1 / size[0], 1 - 0.44 / size[1], note, fontsize=8.0, color=theme.faint)
    for index, axes in enumerate(grid.flat):
        if index >= len(cohort.tasks):
            axes.set_visible(False)
            continue
        task = cohort.tasks[index]
        lines = _lines(cohort, points, task)
        above = far_above(lines, drop)
        inside = {member: own for member, own in lines.items() if member not in above}
        _limits(axes, inside, None if above else cohort.y_max[task], 0.04)
        _best(axes, cohort.y_max[task], theme)
        for member in sorted(inside, key=lambda member: member in focus):
            draw_curve(axes, inside[member], shade(member, focus, theme), theme, drop, member in focus, 4.5)
        for number_, (member, own) in enumerate(above.items()):
            _off_scale(axes, f"{_name(member, lines)}: {own[0].accuracy:g}", number_, shade(member, list(above), theme))
        axes.set_title(titles.get(task, task), fontsize=9.5, loc="left", pad=4, fontweight="bold")
        axes.set_xlabel("TPF" if index // columns == rows - 1 else "")
        axes.set_ylabel("accuracy, %" if index % columns == 0 else "")
    _legend(figure, cohort, focus, theme)
    return figure


def _legend(figure: Figure, cohort: Cohort, focus: Sequence[Member], theme: Theme) -> None:
    names = {member: _name(member, dict.fromkeys(cohort.methods)) for member in focus}
    handles = [
        Line2D([], [], color=shade(m, focus, theme), marker=theme.look(m[0]).marker, linewidth=1.6, label=name)
        for m, name in names.items()
    ]
    if others := len(cohort.methods) - len(focus):
        handles.append(Line2D([], [], color=theme.quiet, linewidth=1.0, label=f"{others} other rows"))
    figure.legend(handles=handles, loc="lower center", ncols=4, frameon=False, fontsize=8.4, handlelength=1.8)


def _lines(cohort: Cohort, points: Sequence[Point], task: str) -> Lines:
    here = members_points(points, cohort)
    lines = {member: curve(here, cohort.suite, task, member) for member in cohort.methods}
    return {member: own for member, own in lines.items() if own}


def far_above(lines: Mapping[Member, list[Point]], drop: float) -> Lines:
    """Single-point rows so far above all others that the others would be squeezed: they are named at the top edge."""
    rest = {member: own for member, own in lines.items() if len(own) > 1}
    if not rest:
        return {}
    top = max(point.accuracy for own in rest.values() for point in own)
    height = top - min(min(point.accuracy for point in own) for own in rest.values())
    return {m: own for m, own in lines.items() if m not in rest and own[0].accuracy > top + 0.5 * max(height, drop)}


def _off_scale(axes: Axes, text: str, number: int, color: str) -> None:
    label = axes.annotate(
        f"▲ {text} (above this axis)",
        (0.012, 0.965 - 0.07 * number),
        xycoords="axes fraction",
        va="center",
        fontsize=7.8,
        fontweight="bold",
        color=color,
    )
    halo(label, axes)


def _name(member: Member, lines: Mapping[Member, Any]) -> str:
    twice = sum(other[0] == member[0] for other in lines) > 1
    return title(member[0]) + (f" ({member[1].removeprefix('published:')})" if twice else "")


def _subtitle(cohort: Cohort, task: str, lines: Lines, focus: Sequence[Member]) -> str:
    sizes = sorted({point.n_samples for own in lines.values() for point in own if point.n_samples})
    n = f"n = {sizes[0]}" if len(sizes) == 1 else f"n = {sizes[0]} to {sizes[-1]}" if sizes else "n not stated"
    first = (cohort.suite, f"cohort {cohort.name}", f"y_max {number(cohort.y_max[task])}", n)
    second = ["solid: counted by clipped AUP; dashed: behind the cut; bands: 95 %"]
    if any(point.nominal for own in lines.values() for point in own):
        second.append("○ TPF typed in as 1")
    others = len(lines) - len(focus)
    return "   ".join(first) + "\n" + "   ".join([*second, *([f"grey: {others} other rows"] if others else [])])


def _limits(axes: Axes, lines: Lines, y_max: float | None, label_space: float) -> None:
    every = [point for own in lines.values() for point in own]
    low = min(point.accuracy if point.acc_lo is None else point.acc_lo for point in every)
    tops = (point.accuracy if point.acc_hi is None else point.acc_hi for point in every)
    high = max([y_max or 0.0, 5.0, *tops])  # all at 0 %: 0 to 5, not -1 to 1
    margin = max(1.2, 0.06 * (high - low))
    right, left = max(point.tpf for point in every), min(1.0, *(point.tpf for point in every), 1.0)
    span = max(right - left, 0.5)
    axes.set_xlim(left - 0.05 * span, right + label_space * span)
    # y_max None: rows above the axis are named at its top and need a line each
    above = margin if y_max is not None else margin + 0.08 * (high - low + 2 * margin)
    axes.set_ylim(max(low - margin, -0.03 * high), min(high + above, 104))


def _best(axes: Axes, y_max: float, theme: Theme) -> None:
    if max(axes.get_ylim()[0], 0.0) < y_max < axes.get_ylim()[1]:
        axes.axhline(y_max, color=theme.faint, linewidth=0.8, linestyle=(0, (1, 2)), zorder=1)
        note = axes.text(axes.get_xlim()[1], y_max, "y_max ", ha="right", va="bottom", fontsize=7.2, color=theme.faint)
        halo(note, axes)


def draw_curve(
    axes: Axes, own: Sequence[Point], color: str, theme: Theme, drop: float, focus: bool, marker_size: float = 6.0
) -> list[tuple[Pair, Pair]]:
    """One row's curve; its segments, for labels to keep off. A row out of focus is a thin line with small points."""
    counted, behind = split([point.pair for point in own], drop)
    width = 1.8 if focus else 0.9
    axes.plot(*zip(*counted, strict=True), color=color, linewidth=width, zorder=3 if focus else 2)
    if behind:
        axes.plot(*zip(*behind, strict=True), color=color, linewidth=0.75 * width, linestyle=BEHIND, zorder=2)
    if focus and len(own) > 1 and all(point.acc_lo is not None for point in own):
        tpf, low, high = zip(*((p.tpf, p.acc_lo, p.acc_hi) for p in own), strict=True)
        axes.fill_between(tpf, low, high, color=color, alpha=0.1, linewidth=0, zorder=1)
    elif focus:
        for point in own:
            if point.acc_lo is not None and point.acc_hi is not None:
                ends = (point.acc_lo, point.acc_hi)
                axes.plot([point.tpf] * 2, ends, color=color, linewidth=1.1, alpha=0.35, zorder=2)
    style = theme.look(own[0].method)
    size = (marker_size + (3 if style.marker == "*" else 0)) if focus else 2.4
    end = counted[-1][0]
    for point in own:
        past = point.tpf > end or (point.tpf == end and point.pair not in counted)
        face = theme.ground if point.nominal else color
        look: dict[str, Any] = {
            "color": color,
            "markerfacecolor": face,
            "markersize": size,
            "alpha": 0.55 if past else 1,
        }
        axes.plot([point.tpf], [point.accuracy], style.marker if focus else "o", zorder=4 if focus else 2, **look)
    return list(pairwise(point.pair for point in own)) if focus else []


def split(pairs: Sequence[Pair], drop: float) -> tuple[list[Pair], list[Pair]]:
    """The polyline that clipped AUP counts and the rest of it; both hold the place of the cut. pairs: by TPF.

    >>> split([(1.0, 80.0), (2.0, 80.0), (4.0, 70.0)], 5.0)
    ([(1.0, 80.0), (2.0, 80.0), (3.0, 75.0)], [(3.0, 75.0), (4.0, 70.0)])
    """
    floor = pairs[0][1] - drop
    below = next((index for index, pair in enumerate(pairs) if pair[1] < floor), None)
    if below is None:
        return list(pairs), []
    cut = reach(pairs, drop)
    return [*pairs[:below], cut], [cut, *pairs[below:]]
