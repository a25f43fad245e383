"""A `Report` as the data the page works on: the same numbers, without what the page never shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from reports.audit_page import HEADS
from reports.cohort import counts, members_points
from reports.model import Cohort, Point, Report
from reports.text import neighbours, settings_beside

SUITE_TITLES = {"mini": "Mini (embedded)", "llada": "LLaDA", "dream": "Dream", "dream_coder": "Dream-Coder"}
# matplotlib's markers, as reports/style.py has them, in Plotly's words.
SYMBOLS = {"o": "circle", "s": "square", "D": "diamond", "d": "diamond-tall", "^": "triangle-up", "v": "triangle-down"}
SYMBOLS |= {"<": "triangle-left", ">": "triangle-right", "P": "cross", "X": "x", "*": "star", "p": "pentagon"}
SYMBOLS |= {"h": "hexagon", "H": "hexagon2", "8": "octagon"}
DETAILS = (
    *("setting", "pieces", "trace", "text", "outcome", "correct", "tokens", "forwards", "nfe", "stop_reason"),
    *("edits", "edit_pieces", "revisions", "remasks"),
)


def payload(report: Report) -> dict[str, Any]:
    """Everything but the replay's samples (see `replay_groups`); keys are read by `js/state.js`."""
    points = report.points
    return {
        "title": report.title,
        "header": list(report.header),
        "left_out": [],
        "options": dict(report.options),
        "suites": suites(report.cohorts),
        "methods": {name: method(look) for name, look in report.methods.items()},
        "tasks": report.tasks,
        "points": [lean(asdict(point)) | {"flags": list(point.flags)} for point in points],
        "cohorts": [cohort(item, points, bool(report.options.get("extra_points"))) for item in report.cohorts],
        "aup": [asdict(row) for row in report.aup],
        "leaderboard": [asdict(row) for row in report.leaderboard],
        "checks": {name: HEADS.get(name, name) for name in dict.fromkeys(found.check for found in report.findings)},
        "findings": [{"n": n, **asdict(found), "data": None} for n, found in enumerate(report.findings)],
        "comparisons": [asdict(one) for item in report.cohorts for one in neighbours(report, item.suite, item.name)],
        "settings": {
            f"{item.suite}\n{item.name}": settings_beside(report, item.name, item.suite, item.tasks)
            for item in report.cohorts
        },
        "protocols": [asdict(card) for card in report.protocols],
        "speeds": [speed(row) for row in report.tps if row["source"] != "run"],
        "prompts": [],
        "samples": [],
    }


def suites(cohorts: Sequence[Cohort]) -> dict[str, dict[str, Any]]:
    """Suites in the order of their cohorts, mini ones marked: their numbers are small-scale experiments."""
    names = dict.fromkeys(item.suite for item in cohorts)
    return {name: {"title": SUITE_TITLES.get(name, name), "mini": is_mini(name)} for name in names}


def is_mini(suite: str) -> bool:
    """Whether a suite is a small-scale one whose numbers must never be read as 8B numbers."""
    return suite == "mini" or suite.startswith(("mini-", "mini_"))


def method(look: Mapping[str, Any]) -> dict[str, Any]:
    """A method's title and look, with Plotly's name for the marker."""
    color = look.get("color") or {}
    return {
        "title": look.get("title", ""),
        "kind": look.get("kind", ""),
        "color": {"light": color.get("light", "#666666"), "dark": color.get("dark", "#a0a0a0")},
        "symbol": SYMBOLS.get(str(look.get("marker")), "circle"),
        "dash": look.get("dash", "solid"),
    }


def cohort(item: Cohort, points: Sequence[Point], extra_points: bool) -> dict[str, Any]:
    """A cohort with the places (in `points`) of the points that count in it, so that the page need not decide."""
    counted = {id(point) for point in members_points([p for p in points if counts(p, extra_points)], item)}
    return asdict(item) | {"points": [index for index, point in enumerate(points) if id(point) in counted]}


def speed(row: Mapping[str, Any]) -> dict[str, Any]:
    """A published speed as a point for the chart of accuracy and TPS; it never counts for AUP."""
    parts = [row.get("engine"), row.get("hardware"), f"batch {row['batch_size']:g}" if row.get("batch_size") else ""]
    flags = [str(row[key]) for key in ("note", "where") if row.get(key)]
    shown = {key: row.get(key) for key in ("suite", "task", "method", "source", "tps", "tpf", "accuracy")}
    return lean(shown) | {"setting": ", ".join(str(part) for part in parts if part), "flags": flags}


def lean(item: Mapping[str, Any]) -> dict[str, Any]:
    """Without what is missing or empty: absent means the same to the page, and 500 runs stay small."""
    empty: tuple[Any, ...] = ("", (), {}, [])
    return {key: value for key, value in item.items() if not (value is None or value is False or value in empty)}


def sample(item: Mapping[str, Any]) -> dict[str, Any]:
    """One replay sample; `text` is left out where it is exactly the kept pieces joined, as it nearly always is."""
    shown = {key: item[key] for key in DETAILS if item.get(key) is not None}
    pieces, tokens = shown.get("pieces", []), shown.get("tokens", 0)
    if shown.get("text") == "".join(pieces[:tokens]):
        del shown["text"]
    return {key: item[key] for key in ("run_id", "suite", "method", "task", "doc_id")} | shown


def replay_groups(report: Report) -> list[list[Mapping[str, Any]]]:
    """Samples grouped by prompt (suite, task, document, its text): first the first of every task, then the second, …"""
    groups: dict[tuple[str, str, str, str], list[Mapping[str, Any]]] = {}
    for item in report.samples:
        groups.setdefault((item["suite"], item["task"], str(item["doc_id"]), str(item["prompt"])), []).append(item)
    place: dict[tuple[str, str], int] = {}
    ranked = []
    for (suite, task, *_), members in groups.items():
        turn = place[suite, task] = place.get((suite, task), -1) + 1
        ranked.append((turn, members))
    return [members for _, members in sorted(ranked, key=lambda pair: pair[0])]
