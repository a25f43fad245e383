"""AUP of a whole cohort at a glance: grouped bars per task, and a radar with one axis per task."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from reports.figures.base import canvas
from reports.formats import number
from reports.model import AupRow, Cohort, LeaderRow
from reports.style import DASHES, Theme, color, title


def _members(cohort: Cohort, leaders: Sequence[LeaderRow]) -> list[LeaderRow]:
    return [row for row in leaders if (row.suite, row.cohort) == (cohort.suite, cohort.name)]


def aup_bars(
    cohort: Cohort, rows: Sequence[AupRow], leaders: Sequence[LeaderRow], titles: dict[str, str], theme: Theme
) -> Figure:
    """Horizontal bars, a panel per task and one for the average; missing cells say so; thin bars are 95 % intervals."""
    members = _members(cohort, leaders)[::-1]
    panels = [*cohort.tasks, "average"]
    size = (2.1 + 1.75 * len(panels), 1.25 + 0.31 * len(members))
    figure, first = canvas(
        theme, "AUP by task", f"{cohort.suite}   cohort {cohort.name}   percent × tokens per forward", size
    )
    first.remove()
    left, bottom, top = 1.95 / size[0], 0.42 / size[1], 1 - 1.02 / size[1]
    step = (1 - left - 0.015) / len(panels)
    by_cell = {(r.task, r.method, r.source): r for r in rows if (r.suite, r.cohort) == (cohort.suite, cohort.name)}
    for index, task in enumerate(panels):
        axes = figure.add_axes((left + index * step, bottom, step * 0.9, top - bottom))
        cells = [by_cell.get((task, row.method, row.source)) for row in members]
        values = (
            [row.avg_aup for row in members] if task == "average" else [cell.aup if cell else None for cell in cells]
        )
        high = max(value for value in values if value is not None)
        tops = [
            value if cell is None or cell.aup_hi is None else cell.aup_hi
            for value, cell in zip(values, cells, strict=True)
        ]
        axes.set_xlim(0, 1.42 * max(top or 0 for top in tops) or 1.0)  # all at 0: an empty axis, not a singular one
        for y, (row, value, cell) in enumerate(zip(members, values, cells, strict=True)):
            if value is None:
                axes.text(0, y, " missing", va="center", fontsize=7.6, color=theme.faint, style="italic")
                continue
            part = task == "average" and bool(row.missing)
            shade = color(row.method, theme)
            bar = axes.barh(
                y, value, height=0.66, color=theme.ground if part else shade, edgecolor=shade, linewidth=1.0
            )
            bar[0].set_hatch("////" if part else None)
            end = value
            if cell is not None and cell.aup_lo is not None and cell.aup_hi is not None:
                axes.plot([cell.aup_lo, cell.aup_hi], [y, y], color=theme.text, linewidth=1.1)
                end = max(value, cell.aup_hi)
            note = f" {number(value, 1)}" + (f" ({row.n_tasks} tasks)" if part else "")
            weight = "bold" if 0 < value == high and not part else "normal"
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


def _name(row: LeaderRow, members: Sequence[LeaderRow]) -> str:
    twice = sum(other.method == row.method for other in members) > 1
    return title(row.method) + (f" ({row.source.removeprefix('published:')})" if twice else "")


def aup_radar(cohort: Cohort, leaders: Sequence[LeaderRow], titles: dict[str, str], theme: Theme) -> Figure:
    """One axis per task, scaled to its best AUP (written at its end). Incomplete rows are left out and named."""
    members = _members(cohort, leaders)
    whole = [row for row in members if not row.missing]
    left_out = [_name(row, members) for row in members if row.missing]
    subtitle = f"{cohort.suite}   cohort {cohort.name}   each axis from 0 to its best AUP"
    subtitle += f"   not drawn, incomplete: {', '.join(left_out)}" if left_out else ""
    figure, axes = canvas(theme, "AUP, all tasks", subtitle, (7.8, 5.4), polar=True)
    axes.set_position((0.12, 0.10, 0.46, 0.66))
    angles = np.linspace(0, 2 * math.pi, len(cohort.tasks), endpoint=False)
    best = [max((row.cells[task]["aup"] for row in whole), default=1.0) or 1.0 for task in cohort.tasks]
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
        values = [row.cells[task]["aup"] / top for task, top in zip(cohort.tasks, best, strict=True)]
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
        figure.text(0.985, y, number(row.avg_aup, 1), fontsize=9, va="center", ha="right")
    figure.text(0.985, 0.795, "average AUP", fontsize=8, color=theme.faint, ha="right", va="center")
    return figure
