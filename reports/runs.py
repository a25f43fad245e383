"""Reads run folders for a report: every run that can be believed, and a finding for every one that cannot.

One broken run never stops a report and never slips into a mean: it is named in a finding of level "error" and left out.
"""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import NamesError, SummaryError, UserError
from harness.stats import Samples
from harness.store import RunFolder, find_runs
from reports.model import Finding

KEYS = ("suite", "method", "task", "setting")


@dataclass(frozen=True)
class RunData:
    """A finished, believable run: its folder, `run.json`, `summary.json`, and the samples' three numbers.

    revisions, remasks: summed over the samples; None where the samples do not record them.
    """

    folder: RunFolder
    run: Mapping[str, Any]
    summary: Mapping[str, Any]
    samples: Samples
    revisions: int | None = None
    remasks: int | None = None

    @property
    def row(self) -> str:
        """What names the run's row in tables: its label where it has one, else its method."""
        return str(self.run.get("label") or self.run["method"])

    @property
    def train_seed(self) -> str:
        """The training seed of the run's checkpoint as text, "" where none is recorded."""
        value = self.run.get("train_seed")
        return "" if value is None else str(value)

    @property
    def run_id(self) -> str:
        return str(self.run.get("run_id") or self.summary.get("run_id") or self.folder.run_id)

    @property
    def cell(self) -> tuple[str, str]:
        """(suite, task)."""
        return self.run["suite"], self.run["task"]

    @property
    def setting(self) -> str:
        """The setting as JSON text with sorted keys: equal settings are equal texts."""
        return json.dumps(self.run["setting"], sort_keys=True, ensure_ascii=False)

    @property
    def protocol(self) -> tuple[str, str]:
        """(id, version and digest): what must be equal for two runs to be compared."""
        version, digest = self.run.get("protocol_version"), self.run.get("protocol_digest")
        marks = [f"v{version}"] if version is not None else []
        return str(self.run.get("protocol", "")), " ".join([*marks, str(digest)] if digest else marks)

    @property
    def sessions(self) -> list[Mapping[str, Any]]:
        """The starts of the run, first to last; a continued run has several."""
        return [one for one in self.run.get("sessions") or [] if isinstance(one, Mapping)]

    @property
    def started(self) -> str:
        """When the run was started last, as ISO text."""
        return str(self.sessions[-1].get("started", "")) if self.sessions else ""

    @property
    def command(self) -> str:
        """The command line that started the run, as one would type it."""
        value = self.sessions[0].get("command", "") if self.sessions else self.run.get("command", "")
        return value if isinstance(value, str) else shlex.join(map(str, value))


def show_path(path: Path) -> str:
    """A path as text that can be printed and stored, whatever bytes its name has."""
    return str(path).encode("utf-8", "backslashreplace").decode("utf-8")


def read_runs(dirs: Sequence[Path]) -> tuple[list[RunData], list[Finding]]:
    """All finished runs in or below `dirs`, and what was left out and why. A run stored in two places counts once.

    Raises UsageError (exit code 2) for a folder that does not exist.
    """
    good: dict[str, RunData] = {}
    findings: list[Finding] = []
    for folder in find_runs(dirs):
        where = show_path(folder.path)
        try:
            data = _read(folder)
        except UserError as error:
            check = "file-name" if isinstance(error, NamesError) else "unreadable-run"
            findings.append(Finding(check, "error", f"Left out: {_printable(str(error))}", data={"path": where}))
            continue
        except BadRun as error:
            findings.append(_bad(error, where))
            continue
        if where != str(folder.path):
            findings.append(Finding("file-name", "warning", f"The path {where} is not UTF-8.", data={"path": where}))
        if data.run_id not in good:
            good[data.run_id] = data
    return list(good.values()), findings


class BadRun(Exception):
    """A run that must not be reported; `check` and `level` say how it is named."""

    def __init__(self, check: str, text: str, level: str = "error", run: Mapping[str, Any] | None = None) -> None:
        super().__init__(text)
        self.check, self.level, self.run = check, level, run or {}


def _bad(error: BadRun, where: str) -> Finding:
    run = {key: _printable(str(error.run.get(key, ""))) for key in KEYS}
    return Finding(
        check=error.check,
        level=error.level,
        text=f"Left out: {where}: {error}",
        suite=run["suite"],
        source="run",
        tasks=(run["task"],) if run["task"] else (),
        methods=(run["method"],) if run["method"] else (),
        data={"path": where},
    )


def _read(folder: RunFolder) -> RunData:
    run = folder.run()
    label = run.get("label")
    if label is not None and (not label or _printable(label) != label):
        raise BadRun("file-name", "run.json: the label is not printable UTF-8 text.", run=run)
    try:
        summary = folder.summary()
    except SummaryError as error:
        raise BadRun("bad-number", _printable(str(error)), run=run) from None
    if summary is None:
        raise BadRun("unfinished-run", "no summary.json, so it is not finished; run its command again.", "warning", run)
    if unscored := summary.get("errors"):
        text = f"{unscored} of {summary.get('n_samples')} samples have no score, because the scorer raised; "
        text += "run its command again, which scores them without decoding."
        raise BadRun("unscored-samples", text, "warning", run)
    _check_numbers(run, summary)
    try:
        lines = list(folder.samples(light=True))
        samples = Samples.of_run(lines, summary)
    except (KeyError, TypeError, ValueError) as error:
        raise BadRun("unreadable-run", f"samples.jsonl lacks {error}.", run=run) from None
    _check_agree(run, summary, samples)
    counted = [line for line in lines if line["doc_id"] < summary["n_samples"]]
    return RunData(folder, run, summary, samples, _total(counted, "revisions"), _total(counted, "remasks"))


def _total(lines: Sequence[Mapping[str, Any]], key: str) -> int | None:
    values = [line[key] for line in lines if isinstance(line.get(key), int)]
    return sum(values) if values else None


def _check_numbers(run: Mapping[str, Any], summary: Mapping[str, Any]) -> None:
    """Refuse a summary whose accuracy, TPF or count cannot be."""
    for key in ("accuracy", "tpf", "n_samples"):
        value = summary.get(key)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            raise BadRun("bad-number", f"summary.json: {key} is {value!r}, not a number.", run=run)
    if not 0 <= summary["accuracy"] <= 100:
        raise BadRun("bad-number", f"summary.json: accuracy {summary['accuracy']} is not 0 to 100 percent.", run=run)
    if summary["n_samples"] < 1:
        raise BadRun("bad-number", f"summary.json: n_samples is {summary['n_samples']}.", run=run)
    if summary["tpf"] <= 0:
        raise BadRun(
            "bad-number", f"summary.json: TPF is {summary['tpf']}: no token was kept, so it is no point.", run=run
        )
    for key in ("tps", "positions", "tokens"):
        value = summary.get(key)
        if value is not None and (not isinstance(value, (int, float)) or not math.isfinite(value)):
            raise BadRun("bad-number", f"summary.json: {key} is {value!r}, not a number.", run=run)


def _check_agree(run: Mapping[str, Any], summary: Mapping[str, Any], samples: Samples) -> None:
    """Refuse a summary that its own samples contradict."""
    if not len(samples):
        raise BadRun("summary-mismatch", "summary.json is there but samples.jsonl holds no sample.", run=run)
    wrong = {
        "n_samples": (summary["n_samples"], len(samples), 0.0),
        "accuracy": (summary["accuracy"], samples.accuracy, 0.006),
        "tpf": (summary["tpf"], samples.tpf, 0.006),
    }
    for key, (stated, found, tolerance) in wrong.items():
        if abs(stated - found) > tolerance:
            text = f"summary.json says {key} {stated:g}, its samples give {found:g}; `harness score` rebuilds it."
            raise BadRun("summary-mismatch", text, run=run)


def _printable(text: str) -> str:
    """`text` with lone surrogates and control characters escaped."""
    clean = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in clean)
