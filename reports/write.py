"""Writes a report's files: leaderboard, AUP and points as CSV, Markdown, LaTeX; seeds, findings, figures, page."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from reports import formats
from reports.errors import ReportError
from reports.formats import MISSING, interval, number, to_csv, to_latex, to_markdown
from reports.model import (
    AUP_COLUMNS,
    LEADERBOARD_COLUMNS,
    POINT_COLUMNS,
    RANK_COLUMNS,
    RUN_COLUMNS,
    LeaderRow,
    Point,
    Report,
    row,
)
from reports.style import title

SEED_COLUMNS = ("suite", "task", "method", "setting", "seeds", "accuracy", "accuracy_sd", "tpf", "tpf_sd", "run_id")


def write_tables(report: Report, folder: Path) -> list[Path]:
    """Every file that is text: CSV, Markdown, LaTeX, JSON. Raises ReportError when the folder cannot be written."""
    files = {
        "leaderboard.csv": to_csv([row(item, LEADERBOARD_COLUMNS) for item in report.leaderboard], LEADERBOARD_COLUMNS),
        "ranks.csv": to_csv([row(item, RANK_COLUMNS) for item in report.leaderboard], RANK_COLUMNS),
        "aup.csv": to_csv([row(item, AUP_COLUMNS) for item in report.aup], AUP_COLUMNS),
        "points.csv": to_csv([row(item, POINT_COLUMNS) for item in in_tables(report)], POINT_COLUMNS),
        "report.md": markdown(report),
        "report.tex": latex(report),
        "findings.json": json.dumps([asdict(item) for item in report.findings], ensure_ascii=False, indent=1) + "\n",
    }
    if report.runs:
        files["runs.csv"] = to_csv([run_row(card) for card in report.runs.values()], RUN_COLUMNS)
    seeded = [point for point in report.points if point.seeds > 1]
    if seeded:
        files["seeds.csv"] = to_csv([row(item, SEED_COLUMNS) for item in seeded], SEED_COLUMNS)
    paths = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            path = folder / name
            path.write_text(text, encoding="utf-8")
            paths.append(path)
    except OSError as error:
        raise ReportError(f"{folder} cannot be written: {error.strerror or error}. Give another --out.") from error
    return paths


def run_row(card: Mapping[str, Any]) -> dict[str, Any]:
    """What decided a run's outcome, as one line: the columns of runs.csv from its card."""
    found = {name: card.get(name) for name in RUN_COLUMNS}
    setting = json.dumps(card["setting"], sort_keys=True, ensure_ascii=False)
    return found | {"n_samples": card["summary"].get("n_samples"), "setting": setting}


def in_tables(report: Report) -> list[Point]:
    """The points that AUP was computed from."""
    from reports.cohort import counts

    return [point for point in report.points if counts(point, report.options["extra_points"])]


def leaderboard_rows(report: Report, suite: str, cohort: str) -> tuple[list[str], list[list[str]]]:
    """Header and rows of one cohort's leaderboard as text; "–" where a row has no rank or a cell is missing."""
    tasks = next(c.tasks for c in report.cohorts if (c.suite, c.name) == (suite, cohort))
    names = [str(report.tasks[task]["title"]) for task in tasks]
    header = ["rank", "method", "name", "source", *(f"{name} AUP" for name in names)]
    header += ["tasks", "avg accuracy %", "avg TPF", "avg AUP"]
    rows = []
    for item in report.leaderboard:
        if (item.suite, item.cohort) == (suite, cohort):
            cells = [_aup_cell(report, item, task) for task in tasks]
            part = f"{item.n_tasks} of {len(tasks)}"
            rank = str(item.rank) if item.rank else MISSING
            averages = [part, number(item.avg_accuracy), number(item.avg_tpf), _mean_aup(item)]
            rows.append([rank, item.method, _label(item), item.source, *cells, *averages])
    return header, rows


def _label(item: LeaderRow) -> str:
    return item.label if item.label and item.label != item.method else title(item.method)


def _mean_aup(item: LeaderRow) -> str:
    return number(item.avg_aup) + interval(item.avg_aup_lo, item.avg_aup_hi)


def _aup_cell(report: Report, item: LeaderRow, task: str) -> str:
    for found in report.aup:
        key = (found.suite, found.cohort, found.task, found.method, found.source)
        if key == (item.suite, item.cohort, task, item.method, item.source):
            spread = f" [{number(found.aup_lo)}, {number(found.aup_hi)}]" if found.aup_lo is not None else ""
            return number(found.aup) + spread
    return MISSING


def point_rows(points: Sequence[Point]) -> tuple[list[str], list[list[str]]]:
    """Header and rows of points as text: interval beside each number, spread between seeds where there is one."""
    header = ["suite", "task", "method", "source", "setting", "TPF", "accuracy %", "n", "seeds"]
    rows = []
    for point in points:
        tpf = number(point.tpf) + (" (nominal)" if point.nominal else interval(point.tpf_lo, point.tpf_hi))
        accuracy = number(point.accuracy) + interval(point.acc_lo, point.acc_hi)
        seeds = str(point.seeds) if point.source == "run" else MISSING
        if point.accuracy_sd is not None:
            seeds += f" (sd {number(point.accuracy_sd)} %, {number(point.tpf_sd)} TPF)"
        n = str(point.n_samples) if point.n_samples else MISSING
        rows.append([point.suite, point.task, point.method, point.source, point.setting, tpf, accuracy, n, seeds])
    return header, rows


def markdown(report: Report) -> str:
    """The report as one Markdown page: header, a leaderboard per cohort, points, findings."""
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
        lines += [to_markdown(header, rows, left=4)]
    header, rows = point_rows(in_tables(report))
    lines += ["## Points", "", to_markdown(header, rows, left=5), "## Findings", ""]
    lines += [f"- **{item.check}** ({item.level}): {formats.markdown_text(item.text)}" for item in report.findings]
    return "\n".join([*lines, ""])


def latex(report: Report) -> str:
    """One booktabs table per cohort, the header's sentences as comments and in the captions."""
    parts = [f"% {formats.markdown_text(text)}" for text in report.header]
    warning = " ".join(text for text in report.header if text.startswith("MIXED"))
    for cohort in report.cohorts:
        header, rows = leaderboard_rows(report, cohort.suite, cohort.name)
        scale = ", ".join(f"{report.tasks[task]['title']} {value:g}" for task, value in cohort.y_max.items())
        caption = f"{cohort.suite}, cohort {cohort.name}; y_max ({cohort.policy}): {scale}. {warning}".strip()
        name = f"tab:{formats.latex_label(cohort.suite)}-{formats.latex_label(cohort.name)}"
        parts.append(to_latex(header, rows, caption, name, left=4))
    return "\n".join(parts)


def write_report(
    report: Report, folder: Path, *, figures: bool = True, page: bool = True, **drawing: Any
) -> list[Path]:
    """All files of a report: tables first, then figures below FOLDER/figures, then FOLDER/index.html."""
    paths = write_tables(report, folder)
    if figures:
        from reports.figures.draw import draw_all

        paths += draw_all(report, folder / "figures", **drawing)
    if page:
        from reports.page import write_page

        write_page(report, folder / "index.html")
        paths.append(folder / "index.html")
    return paths
