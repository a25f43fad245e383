"""`harness score RUN`: score stored generations again; `harness score --gold`: score a task's own answers."""

from __future__ import annotations

from typing import Any

import typer

from harness.errors import UsageError
from harness.terminal import echo

EXAMPLE = "Example: harness score 3f2a91   or   harness score --gold --task gsm8k --suite mini"


def score(
    run: str | None = typer.Argument(None, help="A run folder, a run id, or the beginning of one."),
    gold: bool = typer.Option(False, "--gold", help="Score the task's own answers; must be 100 %."),
    task: str | None = typer.Option(None, "--task", "-t", help="With --gold: the task."),
    suite: str = typer.Option("mini", help="With --gold: the suite whose protocol and data are used."),
    data_dir: str | None = typer.Option(None, help="Rows from DIR/DATASET/test.jsonl instead."),
    protocol: str | None = typer.Option(None, metavar="SET", help="With --gold: another protocol set."),
    limit: int | None = typer.Option(None, min=1, help="With --gold: only the first N documents."),
    out: list[str] = typer.Option(["results/runs"], "--out", "--runs", help="Where to look for ids."),
    allow_unconfined_code: bool = typer.Option(
        False, "--allow-unconfined-code", help="Execute code even if this machine cannot confine it."
    ),
    json: bool = typer.Option(False, "--json", help="One JSON document on stdout."),
) -> None:
    """Run the whole extraction and scoring path again, without decoding anything."""
    from harness.runner.rescore import gold as score_gold
    from harness.runner.rescore import rescore
    from harness.show import print_json, print_summary
    from harness.store import find_run

    if gold == (run is not None):
        raise UsageError("Give either a RUN to score again, or --gold --task T.")
    if gold:
        if task is None:
            raise UsageError("--gold needs --task T.")
        result = score_gold(
            task, suite, data_dir=data_dir, protocol=protocol, limit=limit, unconfined=allow_unconfined_code
        )
        _print_gold(result, json)
        return
    folder = find_run(str(run), out)
    outcome = rescore(folder, data_dir=data_dir, unconfined=allow_unconfined_code)
    if json:
        print_json({**outcome.summary, "changed": outcome.changed, "folder": str(outcome.folder.path)})
        return
    print_summary(outcome.summary)
    echo(f"{outcome.changed} of {outcome.stored} samples have another score than before.")
    if outcome.folder is not folder:
        echo(f"Scored under today's version of the protocol, into {outcome.folder.path}; the run itself is unchanged.")
        if outcome.recut:
            echo(
                f"{outcome.recut} texts end elsewhere under the new stop strings; the reference repositories' token "
                "counts (tpf_compat) need the tokenizer and were left out.",
                err=True,
            )
    if not outcome.finished:
        echo("The run stays unfinished: it lacks documents. The command that started it continues it.", err=True)


def _print_gold(result: dict[str, Any], json: bool) -> None:
    from harness.show import print_json

    if json:
        print_json(result)
    else:
        echo(f"{result['task']} ({result['protocol']}): {result['correct']} of {result['n']} gold answers score.")
        for failure in result["failures"]:
            echo(f"  document {failure['doc_id']}: {failure['outcome']} {failure.get('detail', '')}")
    if result["correct"] < result["n"]:
        raise typer.Exit(1)
