"""Cards: what fixed a task's prompts and scores for the runs of a report, and what each run was."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from reports.model import ProtocolCard
from reports.runs import RunData

PROTOCOLS = Path(__file__).resolve().parent.parent / "tasks" / "protocols"
NAME = re.compile(r"\w[\w.-]*/\w[\w.-]*", re.ASCII)  # SET/TASK
RECORDED = ("protocol_version", "protocol_digest", "gen_length", "metric", "fidelity", "data", "data_fingerprint")


def run_cards(runs: Sequence[RunData]) -> tuple[ProtocolCard, ...]:
    """One card per suite, task and protocol of the runs, naming the methods that followed it."""
    groups: dict[tuple[str, ...], list[RunData]] = {}
    for run in runs:
        groups.setdefault((*run.cell, *run.protocol), []).append(run)
    cards = []
    for (suite, task, name, version), members in groups.items():
        first = members[0].run
        fields = {
            **protocol_file(name, first.get("protocol_version")),
            **{k: first[k] for k in RECORDED if first.get(k)},
        }
        fields["n"] = ", ".join(map(str, sorted({run.summary["n_samples"] for run in members})))
        methods = tuple(dict.fromkeys(run.row for run in members))
        cards.append(ProtocolCard(suite, task, "run", methods, f"{name} {version}".strip(), fields))
    return tuple(cards)


def protocol_file(name: str, version: Any) -> dict[str, Any]:
    """The fields of a protocol of this package, read as data; its id alone when it is not here in that version."""
    path = PROTOCOLS / f"{name}.yaml"
    if NAME.fullmatch(name) and path.is_file():
        fields = yaml.safe_load(path.read_text(encoding="utf-8"))
        if isinstance(fields, dict) and fields.get("version") == version:
            return {"num_fewshot": 0, "chat_template": False, **fields}
    return {"id": name}


def run_card(run: RunData) -> dict[str, Any]:
    """What the page shows of a run: everything in run.json, its command, and the summary's numbers."""
    summary = {key: value for key, value in run.summary.items() if key not in run.run}
    last = run.sessions[-1] if run.sessions else {}
    machine = {key: last[key] for key in ("packages", "hardware", "git", "started") if key in last}
    own = {key: value for key, value in run.run.items() if key != "sessions"}
    return {**own, **machine, "run_id": run.run_id, "command": run.command, "summary": summary}
