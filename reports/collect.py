"""`collect`: runs and published points together as one `Report`, from which everything shown is made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from harness.stats import Replicas
from reports import published as papers
from reports.audit import audit_published
from reports.audit_runs import audit_runs
from reports.aup import ALPHA, DROP
from reports.cards import run_card, run_cards
from reports.cohort import JOINT, counts, make_cohorts, task_order
from reports.comparisons import DRAWS, all_pairs, compare_rows, rank_rows, with_ranks
from reports.errors import ReportError, unknown
from reports.intervals import aup_draws, aup_intervals, mean_intervals, with_wilson
from reports.model import AupRow, Cohort, Comparison, Finding, LeaderRow, Point, Report
from reports.order import with_order
from reports.points import check_protocols, make_points
from reports.rank import aup_rows, leader_rows, shown
from reports.replay import replay_samples
from reports.runs import RunData, read_runs
from reports.style import describe, looks

# findings about one curve that must stand above every table
IN_HEADER = ("common-documents", "unequal-train-seeds", "different-weights", "different-tokenizer")


def collect(
    runs: Sequence[Path] = (),
    published: Sequence[str] = (),
    *,
    suite: str | None = None,
    y_max: str = "cohort",
    alpha: float = ALPHA,
    drop: float = DROP,
    mixed_protocols: bool = False,
    mixed_curves: bool = False,
    all_documents: bool = False,
    extra_points: bool = False,
    draws: int = 1000,
    replay: int = 3,
    note: str = "",
) -> Report:
    """Everything a report shows, from run folders and published papers ("d3llm", "tad").

    suite: only this one. y_max: see `reports.cohort`. drop: percentage points. all_documents: each point keeps its own
    documents, else a curve is over those all its points have. draws: of the bootstraps (0 = no AUP intervals and no
    comparisons; else those take at least `comparisons.DRAWS`). replay: documents per task for the decoding replay.
    note: the first line of the header.
    Raises ReportError for runs of two protocols on one task without `mixed_protocols`, for a curve of two models
    without labels or `mixed_curves`, and when nothing is left;
    ReportUsageError for an unknown paper, suite or y_max policy.
    """
    for paper in published:
        if paper not in papers.PAPERS:
            raise unknown("paper", paper, papers.PAPERS)
    data, findings = read_runs(runs) if runs else ([], [])
    data = [run for run in data if suite in (None, run.run["suite"])]
    findings = [finding for finding in findings if suite is None or finding.suite in ("", suite)]
    mixed = check_protocols(data, mixed_protocols)
    made = make_points(data, draws, all_documents=all_documents, mixed_curves=mixed_curves)
    own = with_order(made.points, data, made.documents)
    theirs = [with_wilson(p) for paper in published for p in papers.points(paper, suite, papers.EVERY_STATUS)]
    points = own + theirs
    _refuse_nothing(points, findings, suite)
    ranked = _rank(points, made.samples, y_max, alpha, drop, mixed_protocols, extra_points, draws)
    used = _used(data, own)
    every = [*findings, *mixed, *made.findings, *audit_runs(used, own)]
    every += audit_published(published, suite) if published else []
    options: dict[str, Any] = {"suite": suite, "y_max": y_max, "alpha": alpha, "drop": drop}
    options |= {"mixed_protocols": mixed_protocols, "extra_points": extra_points, "draws": draws}
    options |= {"mixed_curves": mixed_curves, "all_documents": all_documents, "published": list(published)}
    return Report(
        title="Accuracy under parallel decoding" + (f": {suite}" if suite else ""),
        header=((note,) if note else ()) + _header(points, mixed, ranked.cohorts, [*findings, *made.findings], options),
        methods=_methods(points),
        tasks=_tasks(points),
        points=tuple(points),
        cohorts=ranked.cohorts,
        aup=tuple(ranked.aup),
        leaderboard=tuple(ranked.leaders),
        findings=tuple(every),
        protocols=run_cards(used) + (papers.protocol_cards(published, suite) if published else ()),
        runs={run.run_id: run_card(run) for run in used},
        samples=tuple(replay_samples(_shown_runs(used, own, drop), replay)) if replay else (),
        tps=_run_tps(own) + (papers.tps(published, suite) if published else ()),
        comparisons=tuple(ranked.comparisons),
        rank_probabilities=tuple(ranked.chances),
        options=options,
    )


def _refuse_nothing(points: Sequence[Point], findings: Sequence[Finding], suite: str | None) -> None:
    if points:
        return
    where = f" of suite {suite!r}" if suite else ""
    reasons = " ".join(finding.text for finding in findings[:3])
    more = f" ({len(findings)} runs were left out: {reasons})" if findings else ""
    raise ReportError(
        f"There is nothing to report{where}: no finished run and no published point{more}. `harness ls runs` lists "
        "runs; --published takes the papers' numbers."
    )


class _Ranked(NamedTuple):
    cohorts: tuple[Cohort, ...]
    aup: list[AupRow]
    leaders: list[LeaderRow]
    comparisons: list[Comparison]
    chances: list[dict[str, Any]]


def _rank(
    points: Sequence[Point],
    samples: Mapping[str, Replicas],
    policy: str,
    alpha: float,
    drop: float,
    joint: bool,
    extra: bool,
    draws: int,
) -> _Ranked:
    counted = [point for point in points if counts(point, extra)]
    found = _Ranked(make_cohorts(counted, policy, joint), [], [], [], [])
    for cohort in found.cohorts:
        drawn = aup_draws(cohort, counted, samples, alpha, drop, max(draws, DRAWS) if draws else 0)
        rows = aup_rows(cohort, counted, alpha, drop, aup_intervals(cohort, drawn))
        leaders = leader_rows(cohort, counted, rows, drop, mean_intervals(cohort, drawn))
        chances = rank_rows(cohort, drawn["aup_clipped"], leaders) if drawn else []
        found.aup.extend(rows)
        found.leaders.extend(with_ranks(leaders, chances))
        found.chances.extend(chances)
        found.comparisons.extend(compare_rows(cohort, drawn, leaders, all_pairs(leaders, drawn)) if drawn else [])
    return found


def _header(
    points: Sequence[Point],
    mixed: Sequence[Finding],
    cohorts: Sequence[Cohort],
    left_out: Sequence[Finding],
    options: Mapping[str, Any],
) -> tuple[str, ...]:
    """The sentences that must stand above every table and figure."""
    lines = []
    if mixed:
        lines.append("MIXED PROTOCOLS: " + " ".join(finding.text for finding in mixed))
    if any(cohort.name == JOINT for cohort in cohorts):
        lines.append("MIXED PROTOCOLS: the cohort `all` compares runs and published rows that saw different prompts.")
    if any(point.suite == "mini" for point in points):
        lines.append("Suite mini: a real experiment at small scale; its numbers say nothing about 7B or 8B models.")
    if any(point.source.startswith("published:") for point in points):
        lines.append(
            "Published rows were transcribed, not measured here; a first TPF of 1.0 is nominal, and their intervals "
            "assume the full test set."
        )
    errors = [finding for finding in left_out if finding.level == "error"]
    unfinished = [finding for finding in left_out if finding.check == "unfinished-run"]
    if errors:
        lines.append(f"{len(errors)} runs could not be used and were left out; the findings name them.")
    if unfinished:
        lines.append(f"{len(unfinished)} runs are not finished and were left out.")
    lines += [finding.text for finding in left_out if finding.check in IN_HEADER]
    if options["extra_points"]:
        lines.append("Points that stand commented out or removed in the sources count in AUP here.")
    lines.append(
        f"AUP: alpha {options['alpha']:g}, points more than {options['drop']:g} below the first dropped, y_max: "
        f"{options['y_max']}. Clipped AUP: all points, up to where the curve falls {options['drop']:g} below its first "
        "point; it ranks rows of runs. Both hold inside the cohort they are named with only."
    )
    return tuple(lines)


def _methods(points: Sequence[Point]) -> dict[str, Mapping[str, Any]]:
    names = list(dict.fromkeys(point.method for point in points))
    own = looks(names)
    return {name: describe(name, own[name]) for name in names}


def _tasks(points: Iterable[Point]) -> dict[str, dict[str, Any]]:
    known = papers.tasks()
    return {name: known.get(name, {"title": name, "size": None}) for name in task_order(p.task for p in points)}


def _used(data: Sequence[RunData], points: Sequence[Point]) -> list[RunData]:
    ids = {name for point in points for name in point.run_id.split("+")}
    return [run for run in data if run.run_id in ids]


def _shown_runs(data: Sequence[RunData], points: Sequence[Point], drop: float) -> list[RunData]:
    """One run per method and task: the one behind the point that the tables show."""
    groups: dict[tuple[str, str, str], list[Point]] = {}
    for point in points:
        groups.setdefault((point.suite, point.task, point.method), []).append(point)
    ids = {shown(group, drop).run_id.split("+")[0] for group in groups.values()}
    return [run for run in data if run.run_id in ids]


def _run_tps(points: Sequence[Point]) -> tuple[dict[str, Any], ...]:
    return tuple(
        {
            "suite": point.suite,
            "task": point.task,
            "method": point.method,
            "paper_method": point.label,
            "source": point.source,
            "tps": point.tps,
            "tpf": point.tpf,
            "accuracy": point.accuracy,
            "hardware": point.device,
            "engine": "harness",
            "batch_size": point.batch_size,
            "setting": point.setting,
            "note": "",
            "where": point.run_id,
        }
        for point in points
        if point.tps
    )
