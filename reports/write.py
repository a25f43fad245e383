"""Writes a report's files: leaderboard, AUP and points as CSV, Markdown, LaTeX; seeds, findings, figures, page."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from harness.store import StoreError
from harness.store.files import sweep, write_atomic
from reports.errors import ReportError
from reports.formats import to_csv
from reports.model import (
    AUP_COLUMNS,
    COMPARE_COLUMNS,
    LEADERBOARD_COLUMNS,
    POINT_COLUMNS,
    RANK_COLUMNS,
    RUN_COLUMNS,
    Point,
    Report,
    row,
)
from reports.text import in_tables, latex, markdown

SEED_COLUMNS = ("suite", "task", "method", "setting", "seeds", "accuracy", "accuracy_sd", "tpf", "tpf_sd", "run_id")
CHANCE_COLUMNS = ("suite", "cohort", "method", "rank", "probability")


def write_tables(report: Report, folder: Path) -> list[Path]:
    """Every file that is text: CSV, Markdown, LaTeX, JSON. Raises ReportError when the folder cannot be written."""
    files = {
        "leaderboard.csv": to_csv([row(item, LEADERBOARD_COLUMNS) for item in report.leaderboard], LEADERBOARD_COLUMNS),
        "ranks.csv": to_csv([row(item, RANK_COLUMNS) for item in report.leaderboard], RANK_COLUMNS),
        "aup.csv": to_csv([row(item, AUP_COLUMNS) for item in report.aup], AUP_COLUMNS),
        "points.csv": to_csv([point_row(item) for item in in_tables(report)], POINT_COLUMNS),
        "report.md": markdown(report),
        "report.tex": latex(report),
        "findings.json": json.dumps([asdict(item) for item in report.findings], ensure_ascii=False, indent=1) + "\n",
    }
    if report.comparisons:
        files["compare.csv"] = to_csv([row(item, COMPARE_COLUMNS) for item in report.comparisons], COMPARE_COLUMNS)
        files["rank_probabilities.csv"] = to_csv(report.rank_probabilities, CHANCE_COLUMNS)
    if report.runs:
        files["runs.csv"] = to_csv([run_row(card) for card in report.runs.values()], RUN_COLUMNS)
    seeded = [point for point in report.points if point.seeds > 1]
    if seeded:
        files["seeds.csv"] = to_csv([row(item, SEED_COLUMNS) for item in seeded], SEED_COLUMNS)
    paths = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        sweep(folder)
        for name, text in files.items():
            path = folder / name
            write_atomic(path, text)
            paths.append(path)
    except (OSError, StoreError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise ReportError(f"{folder} cannot be written: {reason}. Give another --out.") from error
    return paths


def run_row(card: Mapping[str, Any]) -> dict[str, Any]:
    """What decided a run's outcome, as one line: the columns of runs.csv from its card."""
    found = {name: card.get(name) for name in RUN_COLUMNS}
    setting = json.dumps(card["setting"], sort_keys=True, ensure_ascii=False)
    return found | {"n_samples": card["summary"].get("n_samples"), "setting": setting}


def point_row(point: Point) -> dict[str, Any]:
    """One line of points.csv: `method` is the method, `label` the row's name."""
    return row(point, POINT_COLUMNS) | {"method": point.base or point.method}


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
