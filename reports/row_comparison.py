"""`harness compare --suite`: the rows asked for, by their mean areas over tasks, each pair tested and corrected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

from reports.aup import ALPHA, DROP
from reports.cohort import make_cohorts
from reports.comparisons import compare_rows, rank_rows
from reports.errors import ReportUsageError, unknown
from reports.formats import number
from reports.intervals import aup_draws, mean_intervals
from reports.model import Comparison, LeaderRow
from reports.points import SOURCE, check_protocols, make_points
from reports.rank import aup_rows, leader_rows
from reports.runs import RunData, read_runs
from reports.settings import setting_findings, table_sentences
from reports.text import p_text


@dataclass(frozen=True)
class SuiteComparison:
    """Rows of one suite against each other. rows: the leaderboard rows, by rank; differences: every pair, two metrics.

    notes: what a reader must know first. ranks: rows of rank_probabilities.csv among the rows asked for.
    """

    suite: str
    tasks: tuple[str, ...]
    rows: tuple[LeaderRow, ...]
    differences: tuple[Comparison, ...]
    ranks: tuple[dict[str, Any], ...]
    notes: tuple[str, ...]
    verdict: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Everything as plain JSON values."""
        return asdict(self)

    def table(self) -> list[dict[str, Any]]:
        """One line per pair and metric, for the terminal."""
        return [
            {
                "A": one.row_a,
                "B": one.row_b,
                "metric": one.metric.removeprefix("avg_").replace("aup_clipped", "clipped AUP").replace("aup", "AUP"),
                "A - B": f"{one.difference:+.2f}",
                "95 %": f"{one.lo:+.2f} to {one.hi:+.2f}",
                "p": p_text(one.p),
                "p (Holm)": p_text(one.p_holm),
            }
            for one in self.differences
        ]

    def rank_table(self) -> list[dict[str, Any]]:
        """One line per row: its mean clipped AUP and the probability of each rank among the rows asked for."""
        lines = []
        for row in self.rows:
            chances = {f"rank {r['rank']}": f"{r['probability']:.2f}" for r in self.ranks if r["method"] == row.method}
            lines.append({"row": row.method, "clipped AUP": number(row.avg_aup_clipped), **chances})
        return lines


def compare_suite(
    dirs: Sequence[str | Path],
    suite: str,
    rows: Sequence[str],
    *,
    tasks: Sequence[str] = (),
    y_max: str = "cohort",
    any_protocol: bool = False,
    mixed_curves: bool = False,
    all_documents: bool = False,
    seed: int = 0,
    draws: int = 10_000,
) -> SuiteComparison:
    """Compare `rows` (labels or methods) of a suite's runs by their mean areas over the tasks that all of them have.

    y_max is the best accuracy of these rows unless another policy is given. Holm's correction is over the pairs of
    `rows`, per metric. Raises ReportUsageError for an unknown suite, row or task and for fewer than two rows,
    ReportError for what a report refuses.
    """
    if len(set(rows)) < 2:
        raise ReportUsageError("A comparison needs two different rows; `harness ls runs` lists what is stored.")
    data, left_out = read_runs([Path(folder) for folder in dirs])
    here = _named(data, suite, rows, tasks)
    mixed = check_protocols(here, any_protocol)
    made = make_points(here, draws=0, all_documents=all_documents, mixed_curves=mixed_curves)
    shared = _shared_tasks(made.points, rows)
    points = [point for point in made.points if point.task in shared]
    (cohort,) = make_cohorts(points, y_max)
    drawn = aup_draws(cohort, points, made.samples, ALPHA, DROP, draws, seed)
    leaders = leader_rows(cohort, points, aup_rows(cohort, points, ALPHA, DROP), DROP, mean_intervals(cohort, drawn))
    pairs = [((a, SOURCE), (b, SOURCE)) for a, b in combinations(dict.fromkeys(rows), 2)]
    differences = compare_rows(cohort, drawn, leaders, pairs)
    notes = [item.text for item in [*left_out, *mixed, *made.findings] if item.level != "note"]
    notes += table_sentences(setting_findings(here), suite, cohort.tasks)
    notes.append(f"Tasks: {', '.join(cohort.tasks)}. y_max ({y_max}): {_scale(cohort.y_max)}.")
    ranks = tuple(rank_rows(cohort, drawn["aup_clipped"], leaders))
    verdict = tuple(sentence(one) for one in differences if one.metric == "avg_aup_clipped")
    return SuiteComparison(suite, cohort.tasks, tuple(leaders), tuple(differences), ranks, tuple(notes), verdict)


def _named(data: Sequence[RunData], suite: str, rows: Sequence[str], tasks: Sequence[str]) -> list[RunData]:
    own = [run for run in data if run.run["suite"] == suite]
    if not own:
        raise unknown("suite", suite, {str(run.run["suite"]) for run in data})
    for kind, asked, known in (
        ("row", rows, {run.row for run in own}),
        ("task", tasks, {str(run.run["task"]) for run in own}),
    ):
        for name in asked:
            if name not in known:
                raise unknown(kind, name, known)
    return [run for run in own if run.row in rows and (not tasks or run.run["task"] in tasks)]


def _shared_tasks(points: Sequence[Any], rows: Sequence[str]) -> set[str]:
    shared = set.intersection(*({point.task for point in points if point.method == row} for row in rows))
    if not shared:
        raise ReportUsageError(f"{', '.join(rows)} have no task in common; run them on the same ones.")
    return shared


def _scale(y_max: Any) -> str:
    return ", ".join(f"{task} {value:g}" for task, value in y_max.items())


def sentence(one: Comparison) -> str:
    """The verdict on a pair: the words follow p after Holm's correction, the interval p before it."""
    numbers = f"{one.difference:+.1f}, 95 % interval {one.lo:+.1f} to {one.hi:+.1f}; p {_equals(one.p)}"
    numbers += f", {_equals(one.p_holm)} after Holm's correction" if one.p_holm != one.p else ""
    if one.p_holm < 0.05:
        ahead, behind = (one.row_a, one.row_b) if one.difference > 0 else (one.row_b, one.row_a)
        return f"{ahead} is ahead of {behind} in mean clipped AUP ({one.row_a} - {one.row_b} = {numbers})."
    return f"{one.row_a} and {one.row_b} cannot be distinguished in mean clipped AUP (difference {numbers})."


def _equals(p: float) -> str:
    return p_text(p) if p < 0.001 else f"= {p_text(p)}"
