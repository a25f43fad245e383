"""AUP rows and leaderboard rows of cohorts, from counted points."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import fmean

from reports.aup import ALPHA, DROP, aup, kept
from reports.cohort import Member, curve, members_points
from reports.model import AupRow, Cohort, LeaderRow, Point

Interval = tuple[float | None, float | None]
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
    intervals: Mapping[tuple[str, Member], Interval] | None = None,
) -> list[AupRow]:
    """One row per task and member of `cohort` that has points. intervals: (task, member) -> its AUP's interval."""
    rows = []
    here = members_points(points, cohort)
    for task in cohort.tasks:
        for member in cohort.methods:
            own = curve(here, cohort.suite, task, member)
            if not own:
                continue
            pairs = [point.pair for point in own]
            used = kept(pairs, drop)
            low, high = (intervals or {}).get((task, member), (None, None))
            rows.append(
                AupRow(
                    suite=cohort.suite,
                    task=task,
                    method=member[0],
                    source=member[1],
                    aup=aup(pairs, cohort.y_max[task], alpha, drop),
                    aup_lo=low,
                    aup_hi=high,
                    y_max=cohort.y_max[task],
                    alpha=alpha,
                    n_points=len(used),
                    cohort=cohort.name,
                    label=own[0].label,
                    dropped=len(pairs) - len(used),
                )
            )
    return rows


def leader_rows(
    cohort: Cohort,
    points: Sequence[Point],
    rows: Sequence[AupRow],
    drop: float = DROP,
    intervals: Mapping[Member, Interval] | None = None,
) -> list[LeaderRow]:
    """One row per member, by average AUP; equal averages share a rank, as in sports: 1, 1, 3.

    An incomplete row comes last, has no rank and names what it lacks. intervals: member -> its average AUP's.

    Averages are over the tasks the row really has: compare them between rows of the same `n_tasks` only.
    """
    here = members_points(points, cohort)
    found = []
    for method, source in cohort.methods:
        cells = {}
        for row in rows:
            if (row.cohort, row.suite, row.method, row.source) == (cohort.name, cohort.suite, method, source):
                point = shown(curve(here, cohort.suite, row.task, (method, source)), drop)
                cells[row.task] = {"tpf": point.tpf, "accuracy": point.accuracy, "aup": row.aup}
        label = next(p.label for p in here if (p.method, p.source) == (method, source))
        low, high = (intervals or {}).get((method, source), (None, None))
        found.append(replace(_leader(cohort, method, source, cells, label), avg_aup_lo=low, avg_aup_hi=high))
    found.sort(key=lambda row: (bool(row.missing), -round(row.avg_aup, 9), row.method, row.source))
    ranked = [row for row in found if not row.missing]
    return [
        row if row.missing else replace(row, rank=1 + sum(other.avg_aup > row.avg_aup + TIE for other in ranked))
        for row in found
    ]


def _leader(cohort: Cohort, method: str, source: str, cells: dict[str, dict[str, float]], label: str) -> LeaderRow:
    def mean(key: str) -> float:
        return fmean(cell[key] for cell in cells.values())

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
    )
