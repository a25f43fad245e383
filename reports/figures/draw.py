"""All figures of a report, written below one folder: FIGURES/<suite>/<cohort>/<name>-<theme>.<format>."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import matplotlib as mpl
from matplotlib.figure import Figure

from reports.cohort import counts
from reports.figures.base import FORMATS, save, settings, slug
from reports.figures.curves import curve_panels, task_curves
from reports.figures.overview import aup_bars, aup_radar
from reports.figures.parallel_figures import cores, fork_map
from reports.figures.speed import positions, tps_accuracy
from reports.model import Cohort, Point, Report
from reports.style import THEMES, Theme

Draw = Callable[[Theme], Figure]


def draw_all(
    report: Report, folder: Path, themes: Sequence[Theme] = THEMES, formats: Sequence[str] = FORMATS
) -> list[Path]:
    """Write every figure of `report` and return the files' paths, sorted.

    Where the system can fork, figures are drawn by as many processes as there are cores (at most 8).
    """
    plan = list(_plan(report))
    jobs = [(theme.of(report.methods), stem, draw) for theme in themes for stem, draw in plan]

    def share(jobs: Sequence[tuple[Theme, str, Draw]]) -> list[Path]:
        paths: list[Path] = []
        for theme, stem, draw in jobs:
            with mpl.rc_context(cast(Any, settings(theme))):
                paths += save(draw(theme), folder / f"{stem}-{theme.name}", formats)
        return paths

    workers = min(8, cores(), max(1, len(jobs) // 4))
    if workers < 2 or not hasattr(os, "fork"):
        return sorted(share(jobs))
    return sorted(fork_map(share, [jobs[index::workers] for index in range(workers)]))


def _plan(report: Report) -> Iterator[tuple[str, Draw]]:
    """(path without theme and format, how to draw it)."""
    points = [point for point in report.points if counts(point, report.options["extra_points"])]
    for cohort in report.cohorts:
        yield from _cohort(report, cohort, points)
    yield from _speed(report)
    yield from _positions(report)


def _cohort(report: Report, cohort: Cohort, points: Sequence[Point]) -> Iterator[tuple[str, Draw]]:
    where = f"{slug(cohort.suite)}/{slug(cohort.name)}"
    titles = {task: str(report.tasks[task]["title"]) for task in cohort.tasks}
    drop = report.options["drop"]
    for task in cohort.tasks:
        heading = f"{titles[task]}: accuracy against parallelism"
        yield (
            f"{where}/{slug(task)}",
            lambda theme, task=task, heading=heading: task_curves(  # type: ignore[misc]
                cohort, points, task, heading, theme, drop, report.leaderboard
            ),
        )
    yield (
        f"{where}/curves",
        lambda theme: curve_panels(cohort, points, titles, theme, drop, report.leaderboard),
    )
    yield f"{where}/aup-bars", lambda theme: aup_bars(cohort, report.aup, report.leaderboard, titles, theme)
    if len(cohort.tasks) > 2:
        yield f"{where}/aup-radar", lambda theme: aup_radar(cohort, report.leaderboard, titles, theme)


def _speed(report: Report) -> Iterator[tuple[str, Draw]]:
    groups: dict[tuple[str, str, str, str, str, str], list[dict[str, object]]] = {}
    for row in report.tps:
        if row["accuracy"] is not None:
            key = (row["suite"], row["source"], row["task"], row["engine"], row["hardware"], row.get("file", ""))
            groups.setdefault(key, []).append(dict(row))
    for (suite, source, task, engine, hardware, file), rows in groups.items():
        name = "-".join(filter(None, ("tps", slug(task), slug(engine), slug(hardware or "unknown"), file)))
        heading = f"{report.tasks.get(task, {}).get('title', task)}: speed against accuracy"
        subtitle = f"{suite}   {source}   {engine} on {hardware or 'unknown hardware'}"
        yield (
            f"{slug(suite)}/{slug(source)}/{name}",
            lambda theme, rows=rows, heading=heading, subtitle=subtitle: tps_accuracy(rows, heading, subtitle, theme),  # type: ignore[misc]
        )


def _positions(report: Report) -> Iterator[tuple[str, Draw]]:
    groups: dict[tuple[str, str, str], list[Point]] = {}
    for point in report.points:
        if point.positions_per_token:
            groups.setdefault((point.suite, point.source, point.task), []).append(point)
    for (suite, source, task), points in groups.items():
        heading = f"{report.tasks[task]['title']}: what a forward pass costs"
        subtitle = f"{suite}   {source}   right: more work per token; up: fewer forward passes per token"
        yield (
            f"{slug(suite)}/{slug(source)}/positions-{slug(task)}",
            lambda theme, points=points, heading=heading, subtitle=subtitle: positions(
                points, heading, subtitle, theme
            ),  # type: ignore[misc]
        )
