"""How verbs print: a table for people, Markdown, CSV, or one JSON document for `--json`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from harness import layout
from harness.terminal import echo, plain_json


def json_text(value: Any) -> str:
    """A value of a file as one line of JSON: no Python spelling of null, true and lists reaches a reader."""
    return json.dumps(value, ensure_ascii=False, default=str)


def print_json(value: Any) -> None:
    """Write one JSON document to stdout."""
    print(plain_json(json.dumps(value, ensure_ascii=False, indent=2, default=str)))


def print_table(rows: Sequence[Mapping[str, Any]], *, prose: Sequence[str] = (), give_way: Sequence[str] = ()) -> None:
    """Print rows that share their keys as a table for people.

    Where the terminal is too narrow, columns of `prose` are wrapped and then those of `give_way` left out, the first
    of them first; a line on stderr names them. Into a pipe or a file everything is written, unwrapped.
    """
    if left_out := layout.print_text(rows, prose, give_way):
        echo(f"Too narrow for: {', '.join(left_out)}; a wider terminal or a pipe has them.", err=True)


def print_rows(
    rows: Sequence[Mapping[str, Any]],
    form: str,
    shown: Sequence[Mapping[str, Any]] | None = None,
    *,
    prose: Sequence[str] = (),
    give_way: Sequence[str] = (),
) -> None:
    """Print `rows` in one of `harness.layout.FORMATS`; `shown` is what people read instead (table and Markdown)."""
    if form == "json":
        print_json(list(rows))
    elif form == "csv":
        echo(layout.csv_text(rows), nl=False)
    elif form == "md":
        echo(layout.markdown(rows if shown is None else shown), nl=False)
    else:
        print_table(rows if shown is None else shown, prose=prose, give_way=give_way)


def interval(value: float | None, bounds: Sequence[float | None] | None, digits: int = 1) -> str:
    """`71.4 [67.3, 75.2]`, or a dash for what was not measured."""
    if value is None:
        return "-"
    text = f"{value:.{digits}f}"
    if bounds and None not in bounds:
        text += " [" + ", ".join(f"{bound:.{digits}f}" for bound in bounds) + "]"
    return text


def summary_row(summary: Mapping[str, Any]) -> dict[str, Any]:
    """One run's numbers as people read them."""
    tps = summary.get("tps")
    return {
        "method": summary.get("method"),
        "task": summary.get("task"),
        "n": counted(summary),
        "accuracy %": interval(summary.get("accuracy"), summary.get("accuracy_ci95")),
        "TPF": interval(summary.get("tpf"), summary.get("tpf_ci95"), 2),
        "tokens": summary.get("tokens"),
        "forwards": summary.get("forwards"),
        "TPS": "-" if tps is None else f"{tps:.0f}",
    }


SUMMARY_GIVES_WAY = ("forwards", "tokens", "TPS")  # at 80 columns the point and its intervals always fit


def print_summary(summary: Mapping[str, Any]) -> None:
    """Print one run's numbers as a table."""
    print_table([summary_row(summary)], give_way=SUMMARY_GIVES_WAY)


def counted(summary: Mapping[str, Any]) -> str:
    """How many documents a run's numbers are over: `100`, or `100 (3 not scored)` where the scorer raised."""
    unscored = summary.get("errors")
    return f"{summary['n_samples']}" + (f" ({unscored} not scored)" if unscored else "")


def measured_on(summary: Mapping[str, Any]) -> str:
    """Batch size and device, in which the sessions of a continued run can differ; and whether canvases were reused."""
    batch, device = summary.get("batch_size"), summary.get("device")
    reused = ", no speed: canvases reused" if summary.get("tps_reused") else ""
    return f"{'mixed batch sizes' if batch is None else f'batch {batch}'}, {device or 'mixed devices'}{reused}"


def print_result(outcome: Any) -> None:
    """The end of `harness run`: the table, what deserves a remark, and the commands that go on from here."""
    summary, path = outcome.summary, outcome.folder.path
    print_summary(summary)
    if label := outcome.folder.run().get("label"):
        echo(f"label: {label}")
    for name, words in REMARKS.items():
        if summary.get(name):
            echo(f"{summary[name]} of {summary['n_samples']} samples {words}")
    state = "stored earlier, nothing was decoded" if outcome.state == "stored" else f"{outcome.new} samples decoded"
    echo(f"\nTPS measured at {measured_on(summary)}")
    echo(f"{path} ({state})")
    echo(f"  harness show {outcome.run_id} --out {outcome.spec.out} --sample 0 --trace")
    echo(f"  harness report --runs {outcome.spec.out}")


REMARKS = {
    "truncated": "have a prompt that does not fit into the context; they count as wrong",
    "empty_outputs": "came back empty",
    "errors": "could not be scored: the accuracy leaves them out, and the same command scores them again",
}
