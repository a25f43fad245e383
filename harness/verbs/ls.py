"""`harness ls methods|tasks|suites|runs`: lists of what is available."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

from harness import options
from harness.options import RUNS, Format
from harness.terminal import echo

app = typer.Typer(help="List methods, tasks, suites or runs.", no_args_is_help=True)
EXAMPLE = "Example: harness ls runs --task gsm8k --sort tpf"


@app.command("methods")
def methods(
    name: str | None = typer.Argument(
        None, metavar="[NAME]", help="One method: its settings, ranges, sweep, source.", autocompletion=options.methods
    ),
    family: str | None = typer.Option(None, help="dllm, block or ar."),
    form: Format = "table",
    json: options.Json = False,
) -> None:
    """Every decoding method: its swept setting and its checkpoint; or everything about one of them."""
    from harness.errors import unknown
    from harness.show import print_rows
    from methods.registry import all_methods

    if name is not None:
        _method(name, options.form(form, json))
        return
    known = all_methods().values()
    if family is not None and family not in {m.family for m in known}:
        raise unknown("family", family, {m.family for m in known})
    rows = [
        {
            "method": m.name,
            "title": m.title,
            "family": m.family,
            "axis": m.axis or "-",
            "checkpoint": m.checkpoint,
            "summary": m.summary,
        }
        for m in known
        if family in (None, m.family)
    ]
    gives_way = ("title", "family", "checkpoint", "summary")
    print_rows(rows, options.form(form, json), prose=("summary",), give_way=gives_way)


def _method(name: str, form: str) -> None:
    from harness.errors import UsageError
    from harness.method_card import card, print_card
    from harness.show import print_json, print_rows
    from methods import registry

    found = card(registry.get(name))
    if form == "json":
        print_json(found)
    elif form == "table":
        print_card(found)
    elif form == "csv":
        print_rows(found["settings"], form)
    else:
        raise UsageError("One method is written as a table, csv (its settings) or json.")


@app.command("tasks")
def list_tasks(
    suite: str | None = typer.Option(None, help="Only the tasks of a suite."),
    protocol: str | None = typer.Option(None, metavar="SET", help="Only one protocol set."),
    form: Format = "table",
    json: options.Json = False,
) -> None:
    """Every task under every protocol: shots, length, metric."""
    from harness.errors import unknown
    from harness.show import print_rows
    from harness.suites import load_suite
    from tasks import protocols

    if protocol is not None and protocol not in protocols.sets():
        raise unknown("protocol set", protocol, protocols.sets())
    ids = [id for id in protocols.ids() if protocol in (None, id.split("/")[0])]
    if suite is not None:
        own = load_suite(suite)
        mine = {own.protocol(task) for task in own.tasks}
        ids = [id for id in ids if id in mine]
    rows = [
        {
            "task": p.task,
            "protocol": p.id,
            "version": p.version,
            "shots": p.num_fewshot,
            "chat": p.chat_template,
            "tokens": p.gen_length,
            "metric": f"{p.metric},{p.extraction}",
        }
        for p in map(protocols.get, ids)
    ]
    print_rows(rows, options.form(form, json), give_way=("version", "metric", "chat"))


@app.command("suites")
def suites(form: Format = "table", json: options.Json = False) -> None:
    """Every suite: its architecture, data, tasks and checkpoints."""
    from harness.show import print_rows
    from harness.suites import load_suite, suite_names

    rows = [
        {
            "suite": s.name,
            "title": s.title,
            "arch": s.arch,
            "context": s.context,
            "data": s.data,
            "tasks": ", ".join(s.tasks),
            "checkpoints": ", ".join(s.checkpoints),
        }
        for s in map(load_suite, suite_names())
    ]
    gives_way = ("title", "data", "context", "arch")
    print_rows(rows, options.form(form, json), prose=("tasks", "checkpoints"), give_way=gives_way)


SORTS = ("path", "method", "task", "tpf", "accuracy", "n_samples", "started")


@app.command("runs")
def runs(
    out: list[str] = typer.Option([RUNS], "--out", "--runs", help="Stores to list."),
    suite: str | None = typer.Option(None, help="Only this suite."),
    method: str | None = typer.Option(None, "--method", "-m", help="Only this method."),
    task: str | None = typer.Option(None, "--task", "-t", help="Only this task."),
    finished: bool | None = typer.Option(
        None, "--finished/--unfinished", help="Only runs with, or without, a summary."
    ),
    sort: str = typer.Option("path", help=f"One of {', '.join(SORTS)}; a leading - reverses."),
    form: Format = "table",
    json: options.Json = False,
) -> None:
    """Every run of a store with its point."""
    from harness.errors import unknown
    from harness.show import print_rows
    from harness.store import find_runs

    key = sort.removeprefix("-")
    if key not in SORTS:
        raise unknown("column to sort by", sort, SORTS)
    wanted = {"suite": suite, "method": method, "task": task, "finished": finished}
    nothing = out == [RUNS] and not Path(RUNS).exists()  # the store is made by the first run
    rows, damaged = _run_rows([] if nothing else find_runs(out))
    rows = [row for row in rows if all(value in (None, row[name]) for name, value in wanted.items())]
    rows.sort(key=lambda row: (row[key] is not None, row[key] or 0) if key in NUMBERS else str(row[key]))
    rows = rows[::-1] if sort.startswith("-") else rows
    shown = [_shown(row) for row in rows]
    print_rows(rows, options.form(form, json), shown, give_way=("suite", "seed", "n", "setting"))
    for sentence in damaged:
        echo(f"harness: not listed: {sentence}", err=True)


NUMBERS = ("tpf", "accuracy", "n_samples")


def _run_rows(folders: list[Any]) -> tuple[list[dict[str, Any]], list[str]]:
    """A row for every run that can be read, and a sentence for every other one."""
    from harness.store import StoreError

    rows, damaged = [], []
    for folder in folders:
        try:
            rows.append(_run_row(folder))
        except StoreError as error:
            damaged.append(" ".join(str(error).split()))
    return rows, damaged


def _run_row(folder: Any) -> dict[str, Any]:
    run, summary = folder.run(), folder.summary() or {}
    return {
        "run": run.get("run_id") or folder.run_id,
        **{name: run[name] for name in ("suite", "method", "task")},
        "axis": run.get("axis"),
        "axis_value": run.get("axis_value"),
        "seed": run.get("seed"),
        "finished": bool(summary),
        **{name: summary.get(name) for name in ("n_samples", "accuracy", "accuracy_ci95", "tpf", "tpf_ci95")},
        "errors": summary.get("errors"),
        "started": run.get("started"),
        "path": str(folder.path),
        "label": run.get("label"),
    }


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    from harness.layout import setting_value
    from harness.show import counted, interval

    return {
        **{name: row[name] for name in ("run", "suite")},
        "method": f"{row['method']} ({row['label']})" if row["label"] else row["method"],
        "task": row["task"],
        "setting": f"{row['axis']}={setting_value(row['axis_value'])}" if row["axis"] else "-",
        "seed": row["seed"],
        "n": counted(row) if row["finished"] else "unfinished",
        "accuracy %": interval(row["accuracy"], row["accuracy_ci95"]),
        "TPF": interval(row["tpf"], row["tpf_ci95"], 2),
    }
