"""AUP of a whole cohort at a glance: grouped bars per task, and a radar with one axis per task."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure

from reports.figures.base import canvas
from reports.formats import number
from reports.model import AupRow, Cohort, LeaderRow, ranked_by
from reports.style import DASHES, Theme, color, title


def _members(cohort: Cohort, leaders: Sequence[LeaderRow]) -> list[LeaderRow]:
    return [row for row in leaders if (row.suite, row.cohort) == (cohort.suite, cohort.name)]


def aup_bars(
    cohort: Cohort, rows: Sequence[AupRow], leaders: Sequence[LeaderRow], titles: dict[str, str], theme: Theme
) -> Figure:
    """Horizontal bars of the AUP that ranks the cohort, a panel per task and one for the average.

    Thin lines are 95 % intervals, a diamond is the other AUP (the paper's beside clipped AUP); missing cells say so.
    """
    kind, other = ("aup", "aup_clipped") if ranked_by(cohort.name) == "avg_aup" else ("aup_clipped", "aup")
    members = _members(cohort, leaders)[::-1]
    panels = [*cohort.tasks, "average"]
    size = (2.1 + 1.75 * len(panels), 1.25 + 0.31 * len(members))
    words = {"aup": "AUP", "aup_clipped": "clipped AUP"}
    units = "percent × tokens per forward pass"
    note = f"{cohort.suite}   cohort {cohort.name}   bars: {words[kind]}; diamonds: {words[other]}; {units}"
    heading = f"{words[kind][0].upper()}{words[kind][1:]} by task"
    figure, first = canvas(theme, heading, note, size)
    first.remove()
    left, bottom, top = 1.95 / size[0], 0.42 / size[1], 1 - 1.02 / size[1]
    step = (1 - left - 0.015) / len(panels)
    by_cell = {(r.task, r.method, r.source): r for r in rows if (r.suite, r.cohort) == (cohort.suite, cohort.name)}
    for index, task in enumerate(panels):
        axes = figure.add_axes((left + index * step, bottom, step * 0.9, top - bottom))
        cells = [_bar(by_cell.get((task, row.method, row.source)), row, task, kind, other) for row in members]
        high = max(cell.value for cell in cells if cell is not None)
        tops = [max(cell.high or cell.value, cell.other) for cell in cells if cell is not None]
        axes.set_xlim(0, 1.42 * max(tops) or 1.0)  # all at 0: an empty axis, not a singular one
        for y, (row, cell) in enumerate(zip(members, cells, strict=True)):
            if cell is None:
                axes.text(0, y, " missing", va="center", fontsize=7.6, color=theme.faint, style="italic")
                continue
            part = task == "average" and bool(row.missing)
            shade = color(row.method, theme)
            face = theme.ground if part else shade
            bar = axes.barh(y, cell.value, height=0.66, color=face, edgecolor=shade, linewidth=1.0)
            bar[0].set_hatch("////" if part else None)
            if cell.low is not None and cell.high is not None:
                axes.plot([cell.low, cell.high], [y, y], color=theme.text, linewidth=1.1)
            axes.plot([cell.other], [y], "D", markersize=4, color=theme.text, markerfacecolor=theme.ground)
            note = f"  {number(cell.value, 1)}" + (f" ({row.n_tasks} tasks)" if part else "")
            weight = "bold" if 0 < cell.value == high and not part else "normal"
            end = max(cell.value, cell.high or 0.0, cell.other)
            axes.text(end, y, note, va="center", fontsize=7.8, fontweight=weight)
        axes.set_title(titles.get(task, task), fontsize=9.2, loc="left", pad=4)
        axes.set_ylim(-0.6, len(members) - 0.4)
        axes.grid(visible=False, axis="y")
        axes.spines["left"].set_visible(index == 0)
        axes.tick_params(axis="x", labelsize=7.5)
        axes.locator_params(axis="x", nbins=3)
        axes.set_yticks(range(len(members)), [_name(row, members) for row in members] if index == 0 else [])
        axes.tick_params(axis="y", length=0)
    return figure


class _Bar(NamedTuple):
    value: float
    low: float | None
    high: float | None
    other: float


def _bar(cell: AupRow | None, row: LeaderRow, task: str, kind: str, other: str) -> _Bar | None:
    """What a bar shows: a task's cell, or the row's average."""
    if task == "average":
        found: Any = row
        prefix = "avg_"
    elif cell is None:
        return None
    else:
        found, prefix = cell, ""
    value, low, high = (getattr(found, f"{prefix}{kind}{end}") for end in ("", "_lo", "_hi"))
    return _Bar(value, low, high, getattr(found, prefix + other))


def _name(row: LeaderRow, members: Sequence[LeaderRow]) -> str:
    twice = sum(other.method == row.method for other in members) > 1
    return title(row.method) + (f" ({row.source.removeprefix('published:')})" if twice else "")


def aup_radar(cohort: Cohort, leaders: Sequence[LeaderRow], titles: dict[str, str], theme: Theme) -> Figure:
    """One axis per task, scaled to its best AUP (written at its end). Incomplete rows are left out and named."""
    kind = ranked_by(cohort.name).removeprefix("avg_")
    words = "clipped AUP" if kind == "aup_clipped" else "AUP"
    members = _members(cohort, leaders)
    whole = [row for row in members if not row.missing]
    left_out = [_name(row, members) for row in members if row.missing]
    subtitle = f"{cohort.suite}   cohort {cohort.name}   each axis from 0 to its best {words}"
    subtitle += f"   not drawn, incomplete: {', '.join(left_out)}" if left_out else ""
    figure, axes = canvas(theme, f"{words[0].upper()}{words[1:]}, all tasks", subtitle, (7.8, 5.4), polar=True)
    axes.set_position((0.12, 0.10, 0.46, 0.66))
    angles = np.linspace(0, 2 * math.pi, len(cohort.tasks), endpoint=False)
    best = [max((row.cells[task][kind] for row in whole), default=1.0) or 1.0 for task in cohort.tasks]
    axes.set_theta_offset(math.pi / 2)  # type: ignore[attr-defined]
    axes.set_theta_direction(-1)  # type: ignore[attr-defined]
    axes.set_ylim(0, 1.04)
    axes.set_yticks([0.25, 0.5, 0.75, 1.0], [])
    axes.spines["polar"].set_visible(False)
    axes.set_xticks(
        angles, [f"{titles.get(task, task)}\n{number(top, 1)}" for task, top in zip(cohort.tasks, best, strict=True)]
    )
    axes.tick_params(axis="x", pad=10, labelsize=9)
    for row in whole[::-1]:
        values = [row.cells[task][kind] / top for task, top in zip(cohort.tasks, best, strict=True)]
        style, shade = theme.look(row.method), color(row.method, theme)
        closed = [*values, values[0]]
        turns = [*angles, angles[0]]
        axes.plot(
            turns, closed, color=shade, linewidth=1.9, linestyle=DASHES[style.dash], marker=style.marker, markersize=6
        )
        axes.fill(turns, closed, color=shade, alpha=0.05)
    for index, row in enumerate(whole):
        y = 0.74 - 0.054 * index
        shade = color(row.method, theme)
        figure.text(0.695, y, "■", color=shade, fontsize=10, va="center")
        figure.text(0.72, y, _name(row, members), color=shade, fontsize=9, fontweight="bold", va="center")
        figure.text(0.985, y, number(getattr(row, f"avg_{kind}"), 1), fontsize=9, va="center", ha="right")
    figure.text(0.985, 0.795, f"average {words}", fontsize=8, color=theme.faint, ha="right", va="center")
    return figure
