"""A report as text for people: the leaderboard, the comparisons and the points, as Markdown and as LaTeX."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from reports import formats
from reports.cohort import counts, task_order
from reports.formats import MISSING, interval, number, to_latex, to_markdown
from reports.model import Comparison, LeaderRow, Point, Report, ranked_by
from reports.settings import table_sentences
from reports.style import title


def in_tables(report: Report) -> list[Point]:
    """The points that AUP was computed from, by row, task and TPF."""
    used = [point for point in report.points if counts(point, report.options["extra_points"])]
    tasks = {name: index for index, name in enumerate(task_order(point.task for point in used))}
    return sorted(used, key=lambda p: (p.suite, p.source, p.method, tasks[p.task], p.pair))


def leaderboard_rows(report: Report, suite: str, cohort: str) -> tuple[list[str], list[list[str]]]:
    """Header and rows of one cohort's leaderboard as text; "–" where a row has no rank or a cell is missing.

    A task's cell is the AUP that ranks the cohort: clipped AUP for runs, the paper's in a paper's own table.
    """
    tasks = next(c.tasks for c in report.cohorts if (c.suite, c.name) == (suite, cohort))
    names = [str(report.tasks[task]["title"]) for task in tasks]
    clipped = ranked_by(cohort) == "avg_aup_clipped"
    kind = "clipped AUP" if clipped else "AUP"
    leaders = [item for item in report.leaderboard if (item.suite, item.cohort) == (suite, cohort)]
    drawn = any(item.rank_lo for item in leaders)
    header = ["rank", "method", "name", "source", *(f"{name} {kind}" for name in names)]
    header += ["tasks", "avg accuracy %", "avg TPF", "avg clipped AUP", "avg AUP", *(["ranks, 95 %"] if drawn else [])]
    rows = []
    for item in leaders:
        cells = [_aup_cell(report, item, task, clipped) for task in tasks]
        rank = str(item.rank) if item.rank else MISSING
        averages = [f"{item.n_tasks} of {len(tasks)}", number(item.avg_accuracy), number(item.avg_tpf), *_means(item)]
        ranks = [_ranks(item)] if drawn else []
        rows.append([rank, item.method, _label(item), item.source, *cells, *averages, *ranks])
    return header, rows


def _label(item: LeaderRow) -> str:
    return item.label if item.label and item.label != item.method else title(item.method)


def _means(item: LeaderRow) -> list[str]:
    return [
        number(item.avg_aup_clipped) + interval(item.avg_aup_clipped_lo, item.avg_aup_clipped_hi),
        number(item.avg_aup) + interval(item.avg_aup_lo, item.avg_aup_hi),
    ]


def _ranks(item: LeaderRow) -> str:
    if item.rank_lo is None or item.rank_hi is None:
        return MISSING
    return str(item.rank_lo) if item.rank_lo == item.rank_hi else f"{item.rank_lo} to {item.rank_hi}"


def _aup_cell(report: Report, item: LeaderRow, task: str, clipped: bool) -> str:
    for found in report.aup:
        key = (found.suite, found.cohort, found.task, found.method, found.source)
        if key == (item.suite, item.cohort, task, item.method, item.source):
            if clipped:
                return number(found.aup_clipped) + interval(found.aup_clipped_lo, found.aup_clipped_hi)
            return number(found.aup) + interval(found.aup_lo, found.aup_hi)
    return MISSING


def comparison_rows(found: Sequence[Comparison]) -> tuple[list[str], list[list[str]]]:
    """Header and rows of differences of average clipped AUP, as text."""
    header = ["row A", "row B", "A - B, clipped AUP", "95 %", "p", "p (Holm)", "differ"]
    rows = [
        [
            *(one.row_a, one.row_b, f"{one.difference:+.2f}", interval(one.lo, one.hi).strip(), p_text(one.p)),
            *(p_text(one.p_holm), "yes" if one.p_holm < 0.05 else "not shown"),
        ]
        for one in found
        if one.metric == "avg_aup_clipped"
    ]
    return header, rows


def p_text(p: float) -> str:
    """A p value with three decimals, or as a bound."""
    return f"{p:.3f}" if p >= 0.001 else "< 0.001"


def neighbours(report: Report, suite: str, cohort: str) -> list[Comparison]:
    """The comparisons of rows that follow each other in rank; p_holm stays that of all pairs."""
    order = [item.method for item in report.leaderboard if (item.suite, item.cohort) == (suite, cohort)]
    pairs = set(pairwise(order))
    here = [one for one in report.comparisons if (one.suite, one.cohort) == (suite, cohort)]
    return [one for one in here if (one.row_a, one.row_b) in pairs]


def point_rows(points: Sequence[Point]) -> tuple[list[str], list[list[str]]]:
    """Header and rows of points as text: interval beside each number, spread between seeds where there is one."""
    header = ["suite", "task", "method", "source", "setting", "TPF", "accuracy %", "n", "seeds", "AFP", "Kendall's tau"]
    rows = []
    for point in points:
        tpf = number(point.tpf) + (" (nominal)" if point.nominal else interval(point.tpf_lo, point.tpf_hi))
        accuracy = number(point.accuracy) + interval(point.acc_lo, point.acc_hi)
        seeds = str(point.seeds) if point.source == "run" else MISSING
        if point.accuracy_sd is not None:
            seeds += f" (sd {number(point.accuracy_sd)} %, {number(point.tpf_sd)} TPF)"
        n = str(point.n_samples) if point.n_samples else MISSING
        order = [number(point.afp), number(point.kendall_tau)]
        where = [point.suite, point.task, point.method, point.source, point.setting]
        rows.append([*where, tpf, accuracy, n, seeds, *order])
    return header, rows


def markdown(report: Report) -> str:
    """The report as one Markdown page: header, leaderboard and comparisons per cohort, points, findings."""
    lines = [
        f"# {formats.markdown_text(report.title)}",
        "",
        *(f"> {formats.markdown_text(text)}\n>" for text in report.header),
        "",
    ]
    for cohort in report.cohorts:
        header, rows = leaderboard_rows(report, cohort.suite, cohort.name)
        scale = ", ".join(f"{report.tasks[task]['title']} {value:g}" for task, value in cohort.y_max.items())
        lines += [f"## {cohort.suite}, cohort {cohort.name}", "", f"y_max ({cohort.policy}): {scale}.", ""]
        for sentence in settings_beside(report, cohort.name, cohort.suite, cohort.tasks):
            lines += [formats.markdown_text(sentence), ""]
        lines += [to_markdown(header, rows, left=4)]
        if pairs := neighbours(report, cohort.suite, cohort.name):
            lines += ["", f"### {cohort.suite}, cohort {cohort.name}: rows that follow each other", "", PAIRED, ""]
            lines += [to_markdown(*comparison_rows(pairs), left=2)]
    header, rows = point_rows(in_tables(report))
    lines += ["## Points", "", to_markdown(header, rows, left=5), "## Findings", ""]
    lines += [f"- **{item.check}** ({item.level}): {formats.markdown_text(item.text)}" for item in report.findings]
    return "\n".join([*lines, ""])


PAIRED = (
    "Paired differences of the average over tasks; p (Holm) is adjusted for all pairs of the cohort, which compare.csv "
    "holds. Intervals of single rows that overlap are no test."
)


def settings_beside(report: Report, cohort: str, suite: str, tasks: Sequence[str]) -> list[str]:
    """What to print beside a table of runs: the settings that its rows differ in."""
    return [] if cohort.startswith("published:") else table_sentences(report.findings, suite, tasks)


def latex(report: Report) -> str:
    """Booktabs tables, a leaderboard and the comparisons per cohort; the header's sentences as comments."""
    parts = [f"% {formats.markdown_text(text)}" for text in report.header]
    warning = " ".join(text for text in report.header if text.startswith("MIXED"))
    for cohort in report.cohorts:
        header, rows = leaderboard_rows(report, cohort.suite, cohort.name)
        scale = ", ".join(f"{report.tasks[task]['title']} {value:g}" for task, value in cohort.y_max.items())
        beside = " ".join([warning, *settings_beside(report, cohort.name, cohort.suite, cohort.tasks)])
        caption = f"{cohort.suite}, cohort {cohort.name}; y_max ({cohort.policy}): {scale}. {beside}".strip()
        name = f"{formats.latex_label(cohort.suite)}-{formats.latex_label(cohort.name)}"
        parts.append(to_latex(header, rows, caption, f"tab:{name}", left=4))
        if pairs := neighbours(report, cohort.suite, cohort.name):
            parts.append(to_latex(*comparison_rows(pairs), PAIRED, f"tab:{name}-compare", left=2))
    return "\n".join(parts)
