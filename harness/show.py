"""How verbs print: a Rich table for people, one JSON document for `--json`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any


def print_json(value: Any) -> None:
    """Write one JSON document to stdout."""
    print(json.dumps(value, ensure_ascii=False, indent=2, default=str))


def print_table(
    rows: Sequence[Mapping[str, Any]], as_json: bool = False, short: Mapping[str, str] | None = None
) -> None:
    """Print rows that share their keys as a table, or as JSON. short: key -> its heading in the table."""
    if as_json:
        print_json(list(rows))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in rows[0] if rows else ():
        table.add_column((short or {}).get(name, name), overflow="fold")
    for row in rows:
        table.add_row(*(Text("" if value is None else str(value)) for value in row.values()))
    Console().print(table if rows else "nothing yet")


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
    tps = summary["tps"]
    return {
        "method": summary["method"],
        "task": summary["task"],
        "n": counted(summary),
        "accuracy %": interval(summary["accuracy"], summary["accuracy_ci95"]),
        "TPF": interval(summary["tpf"], summary["tpf_ci95"], 2),
        "tokens": summary["tokens"],
        "forwards": summary["forwards"],
        "TPS": "-" if tps is None else f"{tps:.0f} ({_measured_on(summary)})",
    }


def counted(summary: Mapping[str, Any]) -> str:
    """How many documents a run's numbers are over: `100`, or `100 (3 not scored)` where the scorer raised."""
    unscored = summary.get("errors")
    return f"{summary['n_samples']}" + (f" ({unscored} not scored)" if unscored else "")


def _measured_on(summary: Mapping[str, Any]) -> str:
    """Batch size and device; the sessions of a continued run can differ in them."""
    batch, device = summary["batch_size"], summary["device"]
    return f"{'mixed batch sizes' if batch is None else f'batch {batch}'}, {device or 'mixed devices'}"


def print_result(outcome: Any) -> None:
    """The end of `harness run`: the table, what deserves a remark, and the commands that go on from here."""
    summary, path = outcome.summary, outcome.folder.path
    print_table([summary_row(summary)])
    if label := outcome.folder.run().get("label"):
        print(f"label: {label}")
    for name, words in REMARKS.items():
        if summary[name]:
            print(f"{summary[name]} of {summary['n_samples']} samples {words}")
    state = "stored earlier, nothing was decoded" if outcome.state == "stored" else f"{outcome.new} samples decoded"
    print(f"\n{path} ({state})")
    print(f"  harness show {outcome.run_id} --out {outcome.spec.out} --sample 0 --trace")
    print(f"  harness report --runs {outcome.spec.out} --out reports/out")


REMARKS = {
    "truncated": "have a prompt that does not fit into the context; they count as wrong",
    "empty_outputs": "came back empty",
    "errors": "could not be scored: the accuracy leaves them out, and the same command scores them again",
}
