"""The recorded outputs of the reference decoders, token for token and forward for forward."""

from __future__ import annotations

import gzip
import json
from collections import defaultdict
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch

from methods.reference.prompts_file import decode_lines, read_lines
from methods.reference.published import PUBLISHED

GOLDEN = Path(__file__).parents[1] / "data" / "golden"
CHECKED = ("output_ids", "nfe", "actual_forwards", "reveal_step")


@cache
def cases() -> list[dict[str, Any]]:
    with gzip.open(GOLDEN / "cases.jsonl.gz", "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def spread(each: int, offset: int = 0) -> list[dict[str, Any]]:
    """`each` cases of every decoder, evenly over its recorded ones."""
    groups: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for case in cases():
        groups[case["decoder"]].append(case)
    return [
        group[min(len(group) - 1, offset + at * len(group) // each)] for group in groups.values() for at in range(each)
    ]


def check(chosen: list[dict[str, Any]], batch: int) -> None:
    torch.set_num_threads(1)
    text = [json.dumps(case) for case in chosen]
    lines = read_lines(text, GOLDEN / "checkpoints", settings={"fidelity": "compat"})
    rows = decode_lines(lines, batch_size=batch)
    wrong = [
        (case["id"], [key for key in CHECKED if row[key] != case[key]])
        for row, case in zip(rows, chosen, strict=True)
        if any(row[key] != case[key] for key in CHECKED) or row["positions"] != sum(case["forward_lens"])
    ]
    assert not wrong


def test_every_decoder_is_recorded() -> None:
    assert {case["decoder"] for case in cases()} == set(PUBLISHED)
    assert len(cases()) == 914


def test_a_spread_of_the_golden_cases_batched() -> None:
    check(spread(8), batch=32)


def test_a_spread_of_the_golden_cases_one_by_one() -> None:
    check(spread(1, offset=3), batch=1)


@pytest.mark.slow
@pytest.mark.parametrize("batch", [1, 32])
def test_all_golden_cases(batch: int) -> None:
    check(cases(), batch)


def test_the_misaligned_cache_is_reproduced() -> None:
    """The only recorded cases in which the reference reads keys twice."""
    twice = [case for case in cases() if _twice(case)]
    assert len(twice) >= 1
    check(twice, batch=4)


def _twice(case: dict[str, Any]) -> bool:
    starts, past = case["forward_starts"], case["forward_past"]
    if not isinstance(starts, list) or not isinstance(past, list):
        return False
    return any(cached > start for cached, start in zip(past, starts, strict=True))
