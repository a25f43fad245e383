"""Defects of the references: each shown in `compat` and cured in `fixed`."""

from __future__ import annotations

import gzip
import json
from functools import cache
from pathlib import Path
from typing import Any

import torch

from methods.backbones import load
from methods.decoding import Request, decode
from methods.decoding.reference import reference

GOLDEN = Path(__file__).parents[1] / "data" / "golden"


@cache
def cases() -> list[dict[str, Any]]:
    with gzip.open(GOLDEN / "cases.jsonl.gz", "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


@cache
def model(name: str) -> Any:
    torch.set_num_threads(1)
    return load(GOLDEN / "checkpoints" / name, device="cpu")


def both(case: dict[str, Any]) -> tuple[Any, Any]:
    """(compat, fixed) results of a recorded case."""
    found = []
    for fidelity in ("compat", "fixed"):
        made, length = reference(case["decoder"], {**case["settings"], "fidelity": fidelity})
        found += decode(model(case["checkpoint"]), [Request(case["prompt_ids"], length, made)])
    return found[0], found[1]


def first(decoder: str, wanted: Any) -> dict[str, Any]:
    return next(case for case in cases() if case["decoder"] == decoder and wanted(case))


def test_phantom_forward() -> None:
    compat, fixed = both(first("llada.multi_block", lambda case: case["nfe"] != case["actual_forwards"]))
    assert compat.nfe == compat.total_forwards + 1
    assert fixed.nfe == fixed.total_forwards


def test_masks_left_before_an_eos() -> None:
    for name in ("llada.tad_generate", "dream.tad_generate"):
        compat, fixed = both(first(name, lambda case: case["remaining_masks"]))
        assert 197 in compat.output_ids
        assert 197 not in fixed.output_ids


def test_threshold_zero_commits_two_tokens() -> None:
    def wanted(case: dict[str, Any]) -> bool:
        settings = case["settings"]
        return settings["threshold"] == 0 and not settings["early_stop"] and case["nfe"] < settings["max_new_tokens"]

    compat, fixed = both(first("llada.multi_block", wanted))
    assert compat.total_forwards < len(compat.output_ids)
    assert fixed.total_forwards == len(fixed.output_ids)


def test_forwards_that_commit_nothing() -> None:
    case = first("dream.vanilla", lambda case: case["settings"]["steps"] == case["settings"]["max_new_tokens"])
    compat, fixed = both(case)
    assert len(set(compat.reveal_step)) < compat.total_forwards
    assert sorted(fixed.reveal_step) == list(range(1, fixed.total_forwards + 1))


def test_a_first_forward_that_commits_one_token_only() -> None:
    for name in ("dream.fast_prefix_cache", "dream.fast_dual_cache"):
        case = first(name, lambda case: case["settings"].get("threshold") == 0.5 and case["checkpoint"] == "dream_toy")
        compat, fixed = both(case)
        assert compat.reveal_step.count(1) == 1
        assert fixed.total_forwards <= compat.total_forwards


def test_keys_that_are_read_twice() -> None:
    """The reference feeds positions again that its cache already holds; ours has one slot a position."""

    def wanted(case: dict[str, Any]) -> bool:
        past, starts = case["forward_past"], case["forward_starts"]
        lists = isinstance(past, list) and isinstance(starts, list)
        return lists and any(held > start for held, start in zip(past, starts, strict=True))

    compat, fixed = both(first("dream.multi_block_kv", wanted))
    assert compat.output_ids
    assert 197 not in fixed.output_ids
