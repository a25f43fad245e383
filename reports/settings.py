"""Which settings, other than the swept one, differ between the rows of a table or inside one curve."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from reports.model import Finding
from reports.runs import RunData

SOURCE = "run"


def setting_findings(runs: Sequence[RunData]) -> list[Finding]:
    """A finding per (suite, task) whose rows differ in a setting, and one per row whose own points do.

    A setting that only one row has is part of its method and is not compared; the swept parameter never is.
    """
    findings = []
    for cell in dict.fromkeys(run.cell for run in runs):
        here = [run for run in runs if run.cell == cell]
        table = differing_settings([(run.row, run.run) for run in here])
        where = (cell[0], SOURCE, (cell[1],))
        if between := {name: rows for name, rows in table.items() if len(set(_flat(rows))) > 1 and len(rows) > 1}:
            text = f"{cell[0]}/{cell[1]}: rows differ in settings other than the swept one: {describe(between)}."
            findings.append(Finding("different-settings", "note", text, *where, data=between))
        for row in dict.fromkeys(run.row for run in here):
            own = {name: rows[row] for name, rows in table.items() if len(rows.get(row, ())) > 1}
            if own:
                parts = "; ".join(f"{name} {', '.join(values)}" for name, values in own.items())
                text = f"{cell[0]}/{cell[1]} {row}: its points differ in more than the swept setting: {parts}."
                findings.append(Finding("curve-settings", "warning", text, *where, (row,), own))
    return findings


def differing_settings(runs: Sequence[tuple[str, Mapping[str, Any]]]) -> dict[str, dict[str, list[str]]]:
    """Setting -> row -> its values as JSON text, for settings with more than one value. runs: (row, run.json).

    >>> a = {"axis": "threshold", "setting": {"threshold": 0.5, "early_stop": True}}
    >>> b = {"axis": "threshold", "setting": {"threshold": 0.9, "early_stop": False}}
    >>> differing_settings([("d3llm", a), ("d2f", b)])
    {'early_stop': {'d3llm': ['true'], 'd2f': ['false']}}
    """
    found: dict[str, dict[str, list[str]]] = {}
    for row, run in runs:
        for name, value in run["setting"].items():
            if name != run.get("axis"):
                values = found.setdefault(name, {}).setdefault(row, [])
                text = json.dumps(value, sort_keys=True, ensure_ascii=False)
                if text not in values:
                    values.append(text)
    return {name: rows for name, rows in found.items() if len(set(_flat(rows))) > 1}


def describe(table: Mapping[str, Mapping[str, Sequence[str]]]) -> str:
    """One sentence's worth: each setting with its values, and the rows that have each.

    >>> describe({"early_stop": {"d3llm": ["true"], "d2f": ["false"], "tad_speed": ["false"]}})
    'early_stop true (d3llm), false (d2f, tad_speed)'
    """
    parts = []
    for name, rows in table.items():
        values = dict.fromkeys(_flat(rows))
        shown = [f"{value} ({', '.join(row for row, own in rows.items() if value in own)})" for value in values]
        parts.append(f"{name} {', '.join(shown)}")
    return "; ".join(parts)


def table_sentences(findings: Sequence[Finding], suite: str, tasks: Sequence[str]) -> list[str]:
    """What to print beside a table: equal differences of several tasks are printed once."""
    found: dict[str, list[str]] = {}
    for item in findings:
        if item.check == "different-settings" and item.suite == suite and item.tasks[0] in tasks:
            found.setdefault(describe(item.data), []).append(item.tasks[0])
    return [
        f"Settings other than the swept one that differ between rows{_where(names, tasks)}: {text}."
        for text, names in found.items()
    ]


def _where(names: Sequence[str], tasks: Sequence[str]) -> str:
    return "" if set(names) == set(tasks) else f" on {', '.join(names)}"


def _flat(rows: Mapping[str, Sequence[str]]) -> list[str]:
    return [value for values in rows.values() for value in values]
