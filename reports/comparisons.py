"""Rows against each other: paired differences of mean areas with Holm's correction, and the probability of each rank.

Two intervals that overlap are no test of a difference: both rows decode the same documents, so their errors largely
cancel in the difference, which is what is tested here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np

from harness.stats import RowDraws, holm, rank_probabilities, row_difference
from reports.cohort import Member
from reports.intervals import key
from reports.model import Cohort, Comparison, LeaderRow

METRICS = ("avg_aup_clipped", "avg_aup")
# p of a paired difference is a share of the draws, and Holm multiplies it by the number of pairs
DRAWS = 10_000


def compare_rows(
    cohort: Cohort, drawn: Mapping[str, RowDraws], leaders: Sequence[LeaderRow], pairs: Sequence[tuple[Member, Member]]
) -> list[Comparison]:
    """The difference of mean areas of each pair, over the tasks both rows have; Holm over the pairs, per metric."""
    cells = {(row.method, row.source): row.cells for row in leaders}
    found: list[Comparison] = []
    for metric in METRICS:
        short = metric.removeprefix("avg_")
        differences = []
        for a, b in pairs:
            tasks = [task for task in drawn[short].fixed if task in cells[a] and task in cells[b]]
            gap = float(np.mean([cells[a][task][short] - cells[b][task][short] for task in tasks]))
            differences.append(row_difference(drawn[short], key(a), key(b), gap, tasks))
        adjusted = holm([one.p for one in differences])
        for (a, b), one, p_holm in zip(pairs, differences, adjusted, strict=True):
            numbers = (one.difference, one.low, one.high, one.p, p_holm)
            found.append(Comparison(cohort.suite, a[0], b[0], metric, *numbers, cohort.name))
    return found


def all_pairs(leaders: Sequence[LeaderRow], drawn: Mapping[str, RowDraws]) -> list[tuple[Member, Member]]:
    """Every pair of complete, measured rows, the better one of each pair first."""
    names = {row for rows in drawn.values() for here in rows.fixed.values() for row in here}
    members = [(row.method, row.source) for row in leaders if not row.missing]
    return list(combinations([member for member in members if key(member) in names], 2))


def rank_rows(cohort: Cohort, drawn: RowDraws, leaders: Sequence[LeaderRow]) -> list[dict[str, Any]]:
    """Rows of rank_probabilities.csv: suite, cohort, method, rank, probability, for the complete measured rows.

    A probability is the share of draws in which the row's average clipped AUP has that rank among these rows.
    """
    measured = [
        row
        for row in leaders
        if not row.missing and all(key((row.method, row.source)) in here for here in drawn.fixed.values())
    ]
    if not measured:
        return []
    names = {key((row.method, row.source)): row.method for row in measured}
    chances = rank_probabilities(drawn, list(names), cohort.tasks)
    where = {"suite": cohort.suite, "cohort": cohort.name}
    return [
        {**where, "method": names[name], "rank": rank, "probability": chance}
        for name, row in chances.items()
        for rank, chance in enumerate(row, 1)
    ]


def with_ranks(leaders: Sequence[LeaderRow], chances: Sequence[Mapping[str, Any]]) -> list[LeaderRow]:
    """Leaderboard rows with the ranks that 95 % of the draws leave and the share of draws in which they are first."""
    own: dict[str, list[float]] = {}
    for item in chances:
        own.setdefault(item["method"], []).append(item["probability"])
    return [_with_rank(row, own.get(row.method)) for row in leaders]


def _with_rank(row: LeaderRow, chances: Sequence[float] | None) -> LeaderRow:
    if not chances:
        return row
    total = np.cumsum(chances)
    low, high = int(np.searchsorted(total, 0.025)) + 1, int(np.searchsorted(total, 0.975 - 1e-9)) + 1
    return replace(row, rank_lo=low, rank_hi=min(high, len(chances)), p_first=float(chances[0]))
