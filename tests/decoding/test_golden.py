"""The recorded outputs of the reference decoders, token for token and forward for forward."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
import torch

from methods.decoding.lines import decode_lines, read_lines

GOLDEN = Path(__file__).parents[1] / "data" / "golden"
CHECKED = ("output_ids", "nfe", "actual_forwards", "reveal_step")


def cases() -> list[dict[str, Any]]:
    with gzip.open(GOLDEN / "cases.jsonl.gz", "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


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


def test_a_sixth_of_the_golden_cases_batched() -> None:
    check(cases()[::6], batch=32)


def test_some_golden_cases_one_by_one() -> None:
    check(cases()[3::40], batch=1)


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
