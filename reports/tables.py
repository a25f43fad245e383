"""The papers' tables, regenerated from points: d3LLM's LLaDA, Dream and Dream-Coder tables, TAD's LLaDA and Dream.

One row per method with TPF and accuracy of the point the paper's table shows (its first parallel point) and the AUP of
all points in that paper's own cohort. Averages are over the tasks a row really has; the number is printed beside them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reports import published
from reports.aup import ALPHA, DROP
from reports.cohort import make_cohorts, task_order
from reports.errors import ReportError, unknown
from reports.formats import MISSING, latex_text, number, rounded, to_csv, to_latex, to_markdown
from reports.model import Cohort, LeaderRow, Point
from reports.rank import aup_rows, leader_rows
from reports.style import title

COLUMNS = ("method", "task", "tpf", "accuracy", "aup")
FORMATS = ("md", "csv", "latex", "json")
SOURCES = ("published", "runs")
AVERAGE = "average"


@dataclass(frozen=True)
class PaperTable:
    """A regenerated table. rows: in the source's order; titles: task -> the paper's spelling."""

    paper: str
    suite: str
    source: str
    cohort: Cohort
    tasks: tuple[str, ...]
    titles: Mapping[str, str]
    rows: tuple[LeaderRow, ...]

    def long(self) -> list[dict[str, Any]]:
        """The long form: a row per method and task, then one per method with task "average"; rounded half up to 0.01.

        A task that a row lacks has None for its numbers and does not enter the row's average.
        """
        out: list[dict[str, Any]] = []
        for row in self.rows:
            for task in self.tasks:
                cell = row.cells.get(task, {})
                numbers = {key: rounded(cell[key]) if key in cell else None for key in COLUMNS[2:]}
                out.append({"method": row.method, "task": task, **numbers})
        for row in self.rows:
            values = {"tpf": row.avg_tpf, "accuracy": row.avg_accuracy, "aup": row.avg_aup}
            out.append(
                {"method": row.method, "task": AVERAGE, **{key: rounded(value) for key, value in values.items()}}
            )
        return out


def paper_table(paper: str, suite: str, points: Sequence[Point], source: str, policy: str = "cohort") -> PaperTable:
    """The table of `paper` for `suite` out of `points` (the paper's own, or runs restricted to the paper's tasks).

    Raises ReportUsageError when the paper has no table for that suite, ReportError when there is no point.
    """
    if suite not in published.suites(paper):
        raise unknown(f"suite of {paper}'s tables", suite, published.suites(paper))
    tasks = task_order(point.task for point in published.points(paper, suite))
    own = [point for point in points if point.suite == suite and point.task in tasks]
    if not own:
        raise ReportError(
            f"There is no finished run of suite {suite!r} on {', '.join(tasks)}; `harness run` makes one."
        )
    (cohort,) = make_cohorts(own, policy)
    rows = leader_rows(cohort, own, aup_rows(cohort, own, ALPHA, DROP), DROP)
    order = {member: index for index, member in enumerate(cohort.methods)}
    titles = {task: published.paper_task(paper, suite, task) for task in tasks}
    in_order = tuple(sorted(rows, key=lambda row: order[row.method, row.source]))
    return PaperTable(paper, suite, source, cohort, tasks, titles, in_order)


def published_table(paper: str, suite: str, policy: str = "cohort") -> PaperTable:
    """The paper's own table from its own points."""
    if suite not in published.suites(paper):
        raise unknown(f"suite of {paper}'s tables", suite, published.suites(paper))
    return paper_table(paper, suite, published.points(paper, suite), "published", policy)


def runs_table(paper: str, suite: str, dirs: Sequence[Path], policy: str = "cohort", mixed: bool = False) -> PaperTable:
    """The same table from runs. Raises ReportError for runs of different protocols unless `mixed`."""
    from reports.points import check_protocols, make_points
    from reports.runs import read_runs

    if suite not in published.suites(paper):
        raise unknown(f"suite of {paper}'s tables", suite, published.suites(paper))
    runs = [run for run in read_runs(dirs)[0] if run.run["suite"] == suite]
    check_protocols(runs, mixed)
    return paper_table(paper, suite, make_points(runs, draws=0).points, "runs", policy)


def render(table: PaperTable, form: str) -> str:
    """The table as text in one of FORMATS."""
    if form == "csv":
        return to_csv(table.long(), COLUMNS)
    if form == "json":
        import json

        return json.dumps(table.long(), ensure_ascii=False, indent=2) + "\n"
    if form == "md":
        return _markdown(table)
    if form == "latex":
        return _latex(table)
    raise unknown("format", form, FORMATS)


def note(table: PaperTable) -> str:
    """What must stand under the table: cohort, y_max, and which point is shown."""
    scale = ", ".join(f"{table.titles[task]} {table.cohort.y_max[task]:g}" for task in table.tasks)
    origin = "first parallel point" if table.source == "published" else "fastest point that AUP keeps"
    text = f"AUP in the cohort {table.cohort.name} (alpha {ALPHA:g}, drop {DROP:g}; y_max: {scale}). "
    text += f"TPF and accuracy: the {origin}; AUP: all points of the curve. "
    if table.source == "published":
        source = published.sources()[table.paper]
        text += f"Points: {source['repository']}@{source['commit'][:7]}, {source['files'][table.suite]}. "
    return text + "Averages are over the tasks a row has."


def _body(table: PaperTable) -> list[list[str]]:
    """Rows of text: method, paper's spelling, TPF, accuracy, AUP per task, tasks, averages; the best AUP is bold."""
    best = {
        task: max((row.cells[task]["aup"] for row in table.rows if task in row.cells), default=0)
        for task in table.tasks
    }
    body = []
    for row in table.rows:
        cells = []
        for task in table.tasks:
            values = row.cells.get(task)
            if values is None:
                cells += [MISSING] * 3
                continue
            aup = number(values["aup"])
            cells += [
                number(values["tpf"]),
                number(values["accuracy"]),
                f"**{aup}**" if values["aup"] == best[task] else aup,
            ]
        averages = [str(row.n_tasks), number(row.avg_tpf), number(row.avg_accuracy), number(row.avg_aup)]
        body.append([row.method, row.label if row.label != row.method else title(row.method), *cells, *averages])
    return body


def _markdown(table: PaperTable) -> str:
    header = ["method", "paper's name"]
    for task in table.tasks:
        header += [f"{table.titles[task]} TPF", "acc %", "AUP"]
    header += ["tasks", "avg TPF", "avg acc %", "avg AUP"]
    return to_markdown(header, _body(table), left=2) + "\n" + note(table) + "\n"


def _latex(table: PaperTable) -> str:
    header = ["Method", "Paper's name", *["TPF", "Acc.", "AUP"] * len(table.tasks), "Tasks", "TPF", "Acc.", "AUP"]
    heads = [rf"\multicolumn{{3}}{{c}}{{{latex_text(table.titles[task])}}}" for task in table.tasks]
    rules = "".join(rf"\cmidrule(lr){{{3 + 3 * i}-{5 + 3 * i}}}" for i in range(len(heads)))
    last = 3 + 3 * len(heads)
    groups = " & & " + " & ".join(heads) + rf" & \multicolumn{{4}}{{c}}{{Average}} \\ {rules}"
    groups += rf"\cmidrule(lr){{{last}-{last + 3}}}"
    caption = f"{table.paper}, {table.suite}. {note(table)}"
    return to_latex(header, _body(table), caption, f"tab:{table.paper}-{table.suite}", left=2, groups=groups)
