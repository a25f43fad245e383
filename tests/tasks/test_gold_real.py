"""Gold answers of the real data sets through the whole path, and mutated ones against a direct run."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import tasks
from tasks import codescore, data, protocols
from tasks.data import Source
from tasks.gold import gold
from tests.tasks.mutate import emptied, flipped, passes_directly

SHARED = Path(__file__).parents[3] / "shared" / "data"
SMALL = Path(__file__).parents[1] / "data" / "rows"
needs_data = pytest.mark.skipif(not SHARED.exists(), reason="the real data sets are not beside the repository")


def score_all(name: str) -> dict[str, Any]:
    start = time.monotonic()
    result = gold(tasks.load(protocols.get(name), Source("folder", SHARED)))
    seconds, cores = time.monotonic() - start, os.cpu_count()
    print(f"{name}: {result['correct']} of {result['n']} in {seconds:.0f} s on {cores} cores")
    return result


@needs_data
def test_all_gsm8k_answers_score() -> None:
    result = score_all("llada-fair/gsm8k")
    assert (result["n"], result["correct"], result["failures"]) == (1319, 1319, [])
    assert result["strict"] == 0, "strict asks for a box there, and the data set writes #### n"


@needs_data
@pytest.mark.slow
@pytest.mark.parametrize(("name", "n"), [("llada-fair/humaneval", 164), ("llada-fair/mbpp", 500)])
def test_all_code_solutions_score(name: str, n: int) -> None:
    result = score_all(name)
    assert (result["n"], result["correct"], result["strict"], result["failures"]) == (n, n, n, [])


def mutants(row: dict[str, Any]) -> list[str]:
    if "entry_point" in row:
        program, entry = row["prompt"] + row["canonical_solution"], row["entry_point"]
    else:
        program = row["code"].replace("\r\n", "\n")
        entry = codescore.entries_of(row)[0]
    made = [emptied(program, entry), flipped(program)]
    return [one for one in made if one is not None]


def disagreements(folder: Path, task: str, limit: int | None = None) -> tuple[int, list[str]]:
    """(mutants tried, those on which the sandbox and a direct run disagree)."""
    rows = data.read(task, Source("folder", folder)).test[:limit]
    pairs = [(row, mutant) for row in rows for mutant in mutants(row)]

    def agree(pair: tuple[dict[str, Any], str]) -> str | None:
        row, mutant = pair
        ours = codescore.verdict(row, mutant)
        direct = passes_directly(mutant, codescore.test_of(row), row.get("entry_point"))
        return None if ours.passed == direct else f"{row['task_id']}: {ours.outcome} {ours.detail}, direct {direct}"

    with ThreadPoolExecutor(2) as pool:
        return len(pairs), [said for said in pool.map(agree, pairs) if said]


@pytest.mark.parametrize("task", ["humaneval", "mbpp"])
def test_mutants_of_the_small_rows_score_what_a_direct_run_gives(task: str) -> None:
    tried, wrong = disagreements(SMALL, task)
    assert tried >= 8
    assert wrong == []


@needs_data
@pytest.mark.slow
@pytest.mark.parametrize("task", ["humaneval", "mbpp"])
def test_mutants_of_all_rows_score_what_a_direct_run_gives(task: str) -> None:
    tried, wrong = disagreements(SHARED, task)
    print(f"{task}: {tried} mutants, {len(wrong)} disagreements")
    assert wrong == []
