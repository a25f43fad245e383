"""The recorded outputs of newer rules: ids, forwards, positions, revisions and the forwards of every commit."""

from __future__ import annotations

import gzip
import json
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch

from methods.reference.prompts_file import decode_lines, read_lines

GOLDEN = Path(__file__).parents[1] / "data" / "golden-2026"
ROWS = {  # the recordings' name of a rule -> our method
    **{name: name for name in ("adablock", "credit", "klass", "localleap", "prophet", "saber", "slowfast", "wino")},
    "eb": "eb_sampler",
    "joint": "joint_threshold",
}
REPAIRED = {"credit": 1, "slowfast": 22, "klass": 2, "prophet": 5}  # recordings that a repair changes
EQUAL = ("output_ids", "positions", "first_commit_step", "last_commit_step")
REVISING = ("saber", "joint", "wino")


@cache
def cases(method: str) -> list[dict[str, Any]]:
    with gzip.open(GOLDEN / "cases.jsonl.gz", "rt", encoding="utf-8") as file:
        return [case for case in map(json.loads, file) if case["method"] == method]


def decoded(chosen: list[dict[str, Any]], batch: int, dtype: str, fidelity: str = "compat") -> list[dict[str, Any]]:
    """What `harness decode` writes for the recorded prompts and settings."""
    torch.set_num_threads(1)
    text = [json.dumps({**case, "decoder": ROWS[case["method"]]}) for case in chosen]
    lines = read_lines(text, GOLDEN / "checkpoints", settings={"fidelity": fidelity})
    return list(decode_lines(lines, batch_size=batch, dtype=dtype))


def wrong(case: dict[str, Any], row: dict[str, Any]) -> list[str]:
    """The names of what differs."""
    ours = {key: row[key] for key in EQUAL}
    wanted = {key: case[key] for key in EQUAL}
    flickers = row["filled_and_remasked_in_one_step"]
    ours |= {"forwards": row["actual_forwards"], "flickers": flickers}
    ours["revisions"] = row["revisions"] + row["remasks"] - flickers
    wanted |= {"forwards": case["forwards"], "revisions": case["revisions"]}
    wanted["flickers"] = case.get("filled_and_remasked_in_one_step", 0)
    return [key for key, value in wanted.items() if ours[key] != value]


def check(chosen: list[dict[str, Any]], batch: int, dtype: str, fidelity: str = "compat") -> None:
    rows = decoded(chosen, batch, dtype, fidelity)
    found = [(case["id"], wrong(case, row)) for case, row in zip(chosen, rows, strict=True)]
    assert not [one for one in found if one[1]]


@pytest.mark.parametrize("method", sorted(ROWS))
def test_every_recording_batched_with_refill(method: str) -> None:
    assert len(cases(method)) >= 30
    check(cases(method), 7, "float64")


@pytest.mark.parametrize("method", sorted(ROWS))
def test_every_recording_alone(method: str) -> None:
    check(cases(method), 1, "float64")


@pytest.mark.parametrize("method", sorted(ROWS))
def test_every_recording_that_float32_leaves_as_it_is(method: str) -> None:
    check([case for case in cases(method) if case["float32_same"]], 16, "float32")


@pytest.mark.parametrize("method", sorted(ROWS))
def test_the_repaired_row_differs_where_a_repair_says_so(method: str) -> None:
    """Elsewhere it is the recorded decoder; SlowFast's only saves forwards that had nothing to fill."""
    chosen = cases(method)
    rows = decoded(chosen, 16, "float64", "fixed")
    differ = [(case, row) for case, row in zip(chosen, rows, strict=True) if wrong(case, row)]
    assert len(differ) == REPAIRED.get(method, 0)
    if method == "slowfast":
        assert all(row["output_ids"] == case["output_ids"] for case, row in differ)
        assert all(row["actual_forwards"] < case["forwards"] for case, row in differ)


@pytest.mark.parametrize("method", REVISING)
def test_the_edits_of_a_row_are_its_canvases(method: str) -> None:
    """Edits, first commits and last commits tell one story: replayed, they give every count."""
    from methods.backbones import load
    from methods.decoding import decode

    text = [json.dumps({**case, "decoder": ROWS[method]}) for case in cases(method)]
    lines = [line for line in read_lines(text, GOLDEN / "checkpoints") if line.checkpoint.name == "rand_a"]
    backbone = load(GOLDEN / "checkpoints" / "rand_a", dtype="float64")
    several = 0
    for result in decode(backbone, [line.request for line in lines], batch_size=4):
        by_slot: dict[int, list[tuple[int, int | None]]] = {}
        for forward, place, token in result.edits:
            assert forward is not None
            assert place is not None
            by_slot.setdefault(place, []).append((forward, token))
        changes = masks = 0
        for place, entries in by_slot.items():
            assert entries[0][0] == result.reveal_step[place]
            assert entries[-1] == (result.commit_step[place], result.output_ids[place])
            for (_, before), (_, after) in pairwise(entries):
                assert before != after
                changes += before is not None and after is not None
                masks += after is None
        assert (changes, masks) == (result.revisions, result.remasks - result.flickers)
        untouched = [place for place in range(len(result.output_ids)) if place not in by_slot]
        assert all(result.reveal_step[place] == result.commit_step[place] for place in untouched)
        several += len(by_slot) > 1
    assert several > 5
