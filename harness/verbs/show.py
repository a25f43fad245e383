"""`harness show RUN`: a run, one of its samples, how that sample was denoised."""

from __future__ import annotations

from typing import Any

import typer

from harness.errors import UsageError
from harness.terminal import echo

EXAMPLE = "Example: harness show 3f2a91 --sample 7 --trace"


def show(
    run: str = typer.Argument(help="A run folder, a run id, or the beginning of one."),
    sample: int | None = typer.Option(None, "--sample", help="One document, by its id."),
    trace: bool = typer.Option(False, "--trace", help="Each token in the colour of the forward that committed it."),
    out: list[str] = typer.Option(["results/runs"], "--out", "--runs", help="Where to look for ids."),
    json: bool = typer.Option(False, "--json", help="One JSON document on stdout."),
) -> None:
    """Show a run's numbers and settings, or replay one sample's denoising."""
    from harness.show import print_json
    from harness.store import find_run
    from harness.store.checks import needs

    folder = find_run(run, out)
    if sample is None and trace:
        raise UsageError("--trace needs --sample N: the document to replay.")
    if sample is not None:
        line = next((line for line in folder.samples() if line["doc_id"] == sample), None)
        if line is None:
            raise UsageError(f"{folder.path} has no document {sample}; it has {_ids(folder)}.")
        if json:
            print_json(line)
        else:
            needs(line, f"{folder.path / 'samples.jsonl'}, document {sample}", *SAMPLE)
            _print_sample(line, trace)
        return
    if json:
        print_json({"run": folder.run(), "summary": folder.summary(), "path": str(folder.path)})
        return
    _print_run(folder)


# what a shown run and a shown sample must say
SHOWN: tuple[str, ...] = ("protocol", "protocol_version", "gen_length", "checkpoint", "checkpoint_fingerprint", "data")
SHOWN += ("data_fingerprint", "code_version", "dtype", "fidelity", "seed")
SAMPLE = ("prompt", "prompt_tokens", "text", "output_ids", "pieces", "trace")


def _ids(folder: Any) -> str:
    ids = sorted(folder.done())
    return f"{len(ids)} documents, {ids[0]} to {ids[-1]}" if ids else "none yet"


def _print_run(folder: Any) -> None:
    from harness.layout import setting_value
    from harness.metrics import summarise
    from harness.show import measured_on, print_summary, print_table
    from harness.store.checks import needs

    run, summary = folder.run(), folder.summary()
    needs(run, str(folder.path / "run.json"), *SHOWN)
    samples = list(folder.samples(light=True)) if summary is None else []
    if summary or samples:
        print_summary(summary or summarise(run, samples))
    if summary is None:
        echo(f"Not finished: {len(samples)} samples so far. The command that started it continues it.")
    last = (run.get("sessions") or [{}])[-1]
    rows = [
        ("setting", ", ".join(f"{name}={setting_value(value)}" for name, value in run["setting"].items())),
        ("protocol", f"{run['protocol']} version {run['protocol_version']}, {run['gen_length']} tokens"),
        ("checkpoint", f"{run['checkpoint']} ({run['checkpoint_fingerprint']})"),
        ("data", f"{run['data'].get('kind')} ({run['data_fingerprint']}), {run.get('n_docs')} documents"),
        ("code", f"{run['code_version']}, {run['dtype']}, {run['fidelity']}, seed {run['seed']}"),
        ("outcomes", ", ".join(f"{name} {n}" for name, n in (summary or {}).get("outcomes", {}).items())),
        ("command", _command(last)),
        ("started", f"{run.get('started')}, {len(run.get('sessions', []))} sessions"),
        ("folder", folder.path),
    ]
    if summary:
        rows.insert(0, ("TPS at", measured_on(summary)))
    print_table([{"": name, " ": value} for name, value in rows], prose=(" ",))


def _command(session: dict[str, Any]) -> str:
    command = session.get("command", [])
    return command if isinstance(command, str) else " ".join(command)


def _print_sample(line: dict[str, Any], trace: bool) -> None:
    from harness.replay import print_replay
    from harness.show import print_table

    forwards = ", ".join(f"{kind} {count}" for kind, count in line["forwards"].items() if count)
    echo(f"--- prompt ({line['prompt_tokens']} tokens) ---\n{line['prompt']}\n--- output ---")
    if trace:
        print_replay(line)
    else:
        echo(line["text"])
    echo("---")
    names = ("outcome", "extracted", "tokens", "positions", "stop_reason", "detail")
    rows = [{"": name, " ": line.get(name)} for name in names if line.get(name) not in (None, "")]
    print_table([*rows, {"": "forwards", " ": forwards}], prose=(" ",))
    if line.get("error"):
        echo(line["error"])
