"""Reads `results/published/`: the points of the d3LLM and TAD leaderboards, with where they stand and what differs.

Values are shared with nobody's code: CSV for the numbers (accuracy kept as printed too), YAML for the rest.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from reports.errors import ReportError, unknown
from reports.model import Finding, Point, ProtocolCard

FOLDER = Path(__file__).resolve().parent.parent / "results" / "published"
PAPERS = ("d3llm", "tad")
IN_TABLE = ("table",)
EVERY_STATUS = ("table", "commented", "removed")


@cache
def _yaml(name: str) -> Any:
    return yaml.safe_load((FOLDER / name).read_text(encoding="utf-8"))


@cache
def _csv(name: str) -> tuple[dict[str, str], ...]:
    with open(FOLDER / name, encoding="utf-8", newline="") as file:
        return tuple(csv.DictReader(file))


def sources() -> dict[str, Any]:
    """Paper -> repository, commit, date and files."""
    return _yaml("sources.yaml")


def methods() -> dict[str, dict[str, Any]]:
    """Harness name of every published row -> title, kind, paper, the harness method that decodes like it."""
    return _yaml("methods.yaml")


def tasks() -> dict[str, dict[str, Any]]:
    """Task -> title and number of problems of the full test set."""
    return {name: value for name, value in _yaml("tasks.yaml").items() if name != "sizes"}


def test_set_size(suite: str, task: str) -> int | None:
    """Problems in the full test set of a published task; None for a task that no published table has."""
    special = _yaml("tasks.yaml")["sizes"].get(suite, {}).get(task)
    return special or tasks().get(task, {}).get("size")


def suites(paper: str) -> tuple[str, ...]:
    """The suites of a paper's tables. Raises ReportUsageError for an unknown paper."""
    if paper not in PAPERS:
        raise unknown("paper", paper, PAPERS)
    return tuple(sources()[paper]["files"])


def points(paper: str | None = None, suite: str | None = None, statuses: Sequence[str] = IN_TABLE) -> tuple[Point, ...]:
    """Published points in the order of the source's files, `source` being "published:PAPER".

    Raises ReportError for a value that is not a number or out of range, naming the line.
    """
    found = []
    for number, line in enumerate(_csv("points.csv"), start=2):
        if (paper and line["source"] != paper) or (suite and line["suite"] != suite):
            continue
        if line["status"] in statuses:
            found.append(_point(line, number))
    return tuple(found)


def _point(line: dict[str, str], number: int) -> Point:
    try:
        tpf, accuracy = float(line["tpf"]), float(line["accuracy"])
    except ValueError:
        raise ReportError(f"points.csv line {number}: tpf and accuracy must be numbers.") from None
    if not (tpf > 0 and 0 <= accuracy <= 100):
        raise ReportError(f"points.csv line {number}: TPF {tpf} or accuracy {accuracy} is out of range.")
    nominal = line["nominal"] == "1"
    origin = line["copied_from"] or line["source"]
    protocol = protocol_of(origin, line["suite"], line["task"], line["method"])
    return Point(
        suite=line["suite"],
        task=line["task"],
        method=line["method"],
        source=f"published:{line['source']}",
        setting="" if nominal or line["status"] != "table" else str(protocol.get("setting", "")),
        tpf=tpf,
        accuracy=accuracy,
        n_samples=test_set_size(line["suite"], line["task"]),
        nominal=nominal,
        label=line["paper_method"],
        status=line["status"],
        copied_from=line["copied_from"],
        printed=line["accuracy"],
        protocol=f"published:{origin}/{line['suite']}/{line['task']}",
        protocol_digest=prompt_key(protocol),
    )


def paper_task(paper: str, suite: str, task: str) -> str:
    """The source's spelling of a task."""
    for line in _csv("points.csv"):
        if (line["source"], line["suite"], line["task"]) == (paper, suite, task):
            return line["paper_task"]
    return tasks().get(task, {}).get("title", task)


@cache
def protocol_of(paper: str, suite: str, task: str, method: str) -> dict[str, Any]:
    """lm_eval_task, shots, template, gen_length, setting of a published row; `unknown`: its source has no script."""
    block = _yaml("protocols.yaml").get(paper, {}).get(suite, {}).get(task, {})
    own = block.get(method, {})
    if own.get("unknown"):
        return dict(own)
    return {**block.get("default", {}), **own}


def prompt_key(protocol: dict[str, Any]) -> str:
    """What must be equal for two rows to have seen the same prompts, in words."""
    if protocol.get("unknown") or not protocol:
        return "not stated by the source"
    shots = protocol["shots"]
    return (
        f"{protocol['lm_eval_task']}, {shots}-shot, template: {protocol['template']}, {protocol['gen_length']} tokens"
    )


def protocol_cards(papers: Sequence[str], suite: str | None = None) -> tuple[ProtocolCard, ...]:
    """One card per source, suite, task and prompt, naming the methods that share it."""
    groups: dict[tuple[str, str, str, str], list[Point]] = {}
    for paper in papers:
        for point in points(paper, suite):
            groups.setdefault((paper, point.suite, point.task, point.protocol_digest), []).append(point)
    cards = []
    for (paper, where, task, key), members in groups.items():
        names = tuple(dict.fromkeys(point.method for point in members))
        origin = members[0].copied_from or paper
        fields = protocol_of(origin, where, task, names[0])
        shown = {name: value for name, value in fields.items() if name != "setting"}
        settings = {point.method: point.setting for point in members if point.setting}
        source = sources()[paper]
        shown |= {"settings": settings, "source": f"{source['repository']}@{source['commit'][:7]}"}
        shown["n"] = test_set_size(where, task)
        title = f"{paper_task(paper, where, task)}: {key}"
        cards.append(ProtocolCard(where, task, f"published:{paper}", names, title, shown))
    return tuple(cards)


def known_differences(papers: Sequence[str] = PAPERS, suite: str | None = None) -> tuple[Finding, ...]:
    """What is known to differ between rows of the published tables, as findings of check "known-difference"."""
    found = []
    for entry in _yaml("known_differences.yaml"):
        paper = entry.get("source", "")
        if (paper and paper not in papers) or (suite and entry.get("suite", suite) != suite):
            continue
        found.append(
            Finding(
                check="known-difference",
                level="note",
                text=entry["text"],
                suite=entry.get("suite", ""),
                source=f"published:{paper}" if paper else "",
                tasks=tuple(entry.get("tasks", ())),
                methods=tuple(entry.get("methods", ())),
                data={"id": entry["id"]},
            )
        )
    return tuple(found)


def tps(papers: Sequence[str] = PAPERS, suite: str | None = None) -> tuple[dict[str, Any], ...]:
    """Published speeds (tokens per second): engine, hardware, batch size, and TPF and accuracy where stated."""
    found = []
    for line in _csv("tps.csv"):
        if line["source"] not in papers or (suite and line["suite"] != suite):
            continue
        numbers = {key: float(line[key]) if line[key] else None for key in ("tps", "tpf", "accuracy", "batch_size")}
        source = sources()[line["source"]]
        where = f"{source['repository']}@{source['commit'][:7]}:{source['tps_files'][line['file']]}"
        found.append({**line, **numbers, "source": f"published:{line['source']}", "where": where})
    return tuple(found)
