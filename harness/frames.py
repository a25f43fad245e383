"""What the Python functions of the harness return: numbers as DataFrames, and a table in a notebook."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.layout import words

if TYPE_CHECKING:
    import pandas as pd

    from harness.runner.execute import Outcome
    from reports.model import Report


def html_table(rows: Sequence[dict[str, Any]]) -> str:
    """Rows that share their keys as an HTML table, every text escaped."""
    head = "".join(f"<th>{escape(name)}</th>" for name in (rows[0] if rows else ()))
    body = "".join(f"<tr>{''.join(f'<td>{escape(words(value))}</td>' for value in row.values())}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


@dataclass(frozen=True)
class Trace:
    """How one sample was denoised. pieces: the text of each generated token; steps: the forward pass that committed it.

    kept: the tokens that count; those behind them (EOS, text after a stop string) do not.
    """

    doc_id: int
    pieces: tuple[str, ...]
    steps: tuple[int, ...]
    kept: int

    def to_frame(self) -> pd.DataFrame:
        """One row per token in the order of commits: `forward`, `position`, `token`; never committed slots are 0."""
        import pandas as pd

        rows = sorted(zip(self.steps, range(len(self.pieces)), self.pieces, strict=True))
        return pd.DataFrame(rows, columns=["forward", "position", "token"])

    def _repr_html_(self) -> str:
        from harness.replay import colour, visible

        last = max(self.steps, default=0)
        spans = [
            f'<span title="forward {step}" style="background:{colour(step, last) if step else "#ccc"};color:#000;'
            f'opacity:{1 if place < self.kept else 0.4}">{escape(visible(piece))}</span>'
            for place, (piece, step) in enumerate(zip(self.pieces, self.steps, strict=True))
        ]
        return f'<pre style="white-space:pre-wrap">{"".join(spans)}</pre>'


class RunResult:
    """One run. `summary`: its numbers (the keys of summary.json). `path`: its folder. `new`: samples decoded now."""

    def __init__(self, outcome: Outcome) -> None:
        assert outcome.folder is not None
        assert outcome.summary is not None
        self.summary, self.new, self._folder = outcome.summary, outcome.new, outcome.folder
        self.path = Path(outcome.folder.path)

    @cached_property
    def samples(self) -> pd.DataFrame:
        """One row per stored sample: the light columns of samples.jsonl."""
        from harness.store import load_runs

        return load_runs(self.path).samples

    def sample(self, doc_id: int) -> dict[str, Any]:
        """One line of samples.jsonl. Raises KeyError for a document that the run does not hold."""
        for line in self._folder.samples():
            if line["doc_id"] == doc_id:
                return dict(line)
        raise KeyError(doc_id)

    def trace(self, doc_id: int) -> Trace:
        """How a sample was denoised. Raises KeyError for a document that the run does not hold."""
        line = self.sample(doc_id)
        return Trace(doc_id, tuple(line["pieces"]), tuple(line["trace"]), line["tokens"])

    def to_frame(self) -> pd.DataFrame:
        """The summary as a frame of one row."""
        import pandas as pd

        return pd.DataFrame([self.summary])

    def __repr__(self) -> str:
        return f"RunResult({', '.join(f'{name}={value}' for name, value in self._shown().items())})"

    def _repr_html_(self) -> str:
        return html_table([self._shown()])

    def _shown(self) -> dict[str, Any]:
        from harness.show import summary_row

        return summary_row(self.summary)


class SweepResult:
    """The runs of a sweep, in the order of its plan. `failed`: why, a sentence for each run that did not finish."""

    def __init__(self, outcomes: Sequence[Outcome]) -> None:
        from harness.sweep.grid import run_text
        from harness.sweep.report import reason

        self._outcomes = tuple(outcomes)
        self.runs = [RunResult(one) for one in outcomes if one.summary is not None]
        self.failed = [f"{run_text(one.spec)}: {reason(one)}" for one in outcomes if one.state == "failed"]

    def to_frame(self) -> pd.DataFrame:
        """One row per run: method, task, setting, seed, n, accuracy in percent, TPF, run id, state."""
        import pandas as pd

        return pd.DataFrame(self._rows())

    def _repr_html_(self) -> str:
        return html_table(self._rows())

    def _rows(self) -> list[dict[str, Any]]:
        from harness.sweep.report import rows

        return rows(self._outcomes)


class ReportResult:
    """A report. `files`: what was written. `findings`: what `harness audit` would say, one sentence each."""

    def __init__(self, report: Report, files: tuple[Path, ...]) -> None:
        self._report, self.files = report, files
        self.findings = [finding.text for finding in report.findings]

    def to_frame(self) -> pd.DataFrame:
        """The leaderboard: the columns of ranks.csv and the averages of leaderboard.csv, best rank first."""
        return _frame(self._report.leaderboard)

    @property
    def points(self) -> pd.DataFrame:
        """The points of every row: the columns of points.csv and more."""
        return _frame(self._report.points)

    @property
    def aup(self) -> pd.DataFrame:
        """AUP and clipped AUP of every row and task."""
        return _frame(self._report.aup)

    def _repr_html_(self) -> str:
        names = (
            "suite",
            "cohort",
            "rank",
            "method",
            "n_tasks",
            "avg_accuracy",
            "avg_tpf",
            "avg_aup_clipped",
            "avg_aup",
        )
        rows = self.to_frame()[list(names)].round(2).to_dict("records")
        return html_table([{str(name): value for name, value in row.items()} for row in rows])


def _frame(items: Sequence[Any]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame([asdict(item) for item in items])
