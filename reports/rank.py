"""AUP rows and leaderboard rows of cohorts, from counted points."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import fmean

from reports.aup import ALPHA, DROP, aup, clipped_aup, kept, reach
from reports.cohort import Member, curve, members_points
from reports.model import AupRow, Cohort, LeaderRow, Point, ranked_by

Interval = tuple[float | None, float | None]
Intervals = Mapping[str, Interval]  # metric ("aup", "aup_clipped") -> its 95 % interval
UNKNOWN: Interval = (None, None)
TIE = 1e-9  # average AUPs this close are equal: sums of the same numbers in another order


def shown(points: Sequence[Point], drop: float = DROP) -> Point:
    """The one point of a curve that tables show beside its AUP.

    Published: the first parallel point, as the papers' tables do (for a curve without one, its only point).
    Runs: the fastest point that AUP does not drop.
    """
    ordered = sorted(points, key=lambda point: point.pair)
    if ordered[0].source.startswith("published:"):
        return next((point for point in ordered if not point.nominal), ordered[0])
    counted = set(kept([point.pair for point in ordered], drop))
    return [point for point in ordered if point.pair in counted][-1]


def aup_rows(
    cohort: Cohort,
    points: Sequence[Point],
    alpha: float = ALPHA,
    drop: float = DROP,
    intervals: Mapping[tuple[str, Member], Intervals] | None = None,
) -> list[AupRow]:
    """One row per task and member of `cohort` that has points. intervals: (task, member) -> metric -> its interval."""
    rows = []
    here = members_points(points, cohort)
    for task in cohort.tasks:
        for member in cohort.methods:
            own = curve(here, cohort.suite, task, member)
            if own:
                found = (intervals or {}).get((task, member), {})
                rows.append(_aup_row(cohort, task, own, alpha, drop, found))
    return rows


def _aup_row(
    cohort: Cohort, task: str, own: Sequence[Point], alpha: float, drop: float, intervals: Intervals
) -> AupRow:
    pairs = [point.pair for point in own]
    used = kept(pairs, drop)
    low, high = intervals.get("aup", UNKNOWN)
    clipped_low, clipped_high = intervals.get("aup_clipped", UNKNOWN)
    return AupRow(
        suite=cohort.suite,
        task=task,
        method=own[0].method,
        source=own[0].source,
        aup=aup(pairs, cohort.y_max[task], alpha, drop),
        aup_lo=low,
        aup_hi=high,
        y_max=cohort.y_max[task],
        alpha=alpha,
        n_points=len(used),
        cohort=cohort.name,
        aup_clipped=clipped_aup(pairs, cohort.y_max[task], alpha, drop),
        aup_clipped_lo=clipped_low,
        aup_clipped_hi=clipped_high,
        label=own[0].label,
        dropped=len(pairs) - len(used),
        reach=reach(pairs, drop)[0],
    )


def leader_rows(
    cohort: Cohort,
    points: Sequence[Point],
    rows: Sequence[AupRow],
    drop: float = DROP,
    intervals: Mapping[Member, Intervals] | None = None,
) -> list[LeaderRow]:
    """One row per member, by average clipped AUP (a paper's own table: by average AUP).

    Equal averages share a rank, as in sports: 1, 1, 3. An incomplete row comes last, has no rank and names what it
    lacks. intervals: member -> metric -> the interval of its average. Averages are over the tasks the row really has:
    compare them between rows of the same `n_tasks` only.
    """
    here = members_points(points, cohort)
    found = []
    for method, source in cohort.methods:
        cells = {}
        for row in rows:
            if (row.cohort, row.suite, row.method, row.source) == (cohort.name, cohort.suite, method, source):
                point = shown(curve(here, cohort.suite, row.task, (method, source)), drop)
                areas = {"aup": row.aup, "aup_clipped": row.aup_clipped}
                cells[row.task] = {"tpf": point.tpf, "accuracy": point.accuracy, **areas}
        label = next(p.label for p in here if (p.method, p.source) == (method, source))
        found.append(_leader(cohort, method, source, cells, label, (intervals or {}).get((method, source), {})))
    by = ranked_by(cohort.name)
    found.sort(key=lambda row: (bool(row.missing), -round(getattr(row, by), 9), row.method, row.source))
    values = [getattr(row, by) for row in found if not row.missing]
    return [
        row if row.missing else replace(row, rank=1 + sum(value > getattr(row, by) + TIE for value in values))
        for row in found
    ]


def _leader(
    cohort: Cohort,
    method: str,
    source: str,
    cells: dict[str, dict[str, float]],
    label: str,
    intervals: Intervals,
) -> LeaderRow:
    def mean(key: str) -> float:
        return fmean(cell[key] for cell in cells.values())

    low, high = intervals.get("aup", UNKNOWN)
    clipped_low, clipped_high = intervals.get("aup_clipped", UNKNOWN)
    return LeaderRow(
        suite=cohort.suite,
        method=method,
        source=source,
        n_tasks=len(cells),
        avg_accuracy=mean("accuracy"),
        avg_tpf=mean("tpf"),
        avg_aup=mean("aup"),
        cohort=cohort.name,
        label=label,
        missing=tuple(task for task in cohort.tasks if task not in cells),
        cells=cells,
        avg_aup_lo=low,
        avg_aup_hi=high,
        avg_aup_clipped=mean("aup_clipped"),
        avg_aup_clipped_lo=clipped_low,
        avg_aup_clipped_hi=clipped_high,
    )
