"""`harness compare RUN_A RUN_B`: a paired comparison on the documents that both runs have."""

from __future__ import annotations

import typer

EXAMPLE = "Example: harness compare results/runs/mini/tad_speed/gsm8k results/runs/mini/d3llm/gsm8k"


def compare(
    run_a: str = typer.Argument(help="A run: its folder, its id or the beginning of it; or a folder of one curve."),
    run_b: str = typer.Argument(help="The run or folder to compare with."),
    runs: list[str] = typer.Option(["results/runs"], "--runs", "--out", help="Stores to look for ids in."),
    any_protocol: bool = typer.Option(False, "--any-protocol", help="Compare even though the protocols differ."),
    seed: int = typer.Option(0, "--seed", help="Seed of the bootstrap."),
    draws: int = typer.Option(2000, "--draws", min=100, help="Resamplings of the bootstrap."),
    as_json: bool = typer.Option(False, "--json", help="One JSON document on stdout."),
) -> None:
    """Compare two runs, or two curves, on the same documents: McNemar, paired bootstraps, and a verdict."""
    from harness.compare import compare as pair
    from harness.compare import side
    from harness.show import print_json

    result = pair(side(run_a, runs), side(run_b, runs), any_protocol=any_protocol, seed=seed, draws=draws)
    if as_json:
        print_json(result.as_dict())
        return
    print(f"A = {result.a}\nB = {result.b}\n{result.n_shared} documents in common\n")
    for note in result.notes:
        print(f"Note: {note}")
    for sentence in result.verdict:
        print(sentence)
