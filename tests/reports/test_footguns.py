"""What the pages say about published and recorded numbers is what the data of this repository give."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

from reports import published

ROOT = Path(__file__).parents[2]


def footguns() -> str:
    """The page as one line, so that a sentence is found however it is broken."""
    return " ".join((ROOT / "docs" / "footguns.md").read_text(encoding="utf-8").split())


def multi_block() -> list[dict[str, Any]]:
    """The recorded runs of the references' multi-block decoders."""
    with gzip.open(ROOT / "tests" / "data" / "golden" / "cases.jsonl.gz", "rt", encoding="utf-8") as file:
        return [case for case in map(json.loads, file) if "multi_block" in case["decoder"]]


def test_forwards_that_did_not_happen() -> None:
    cases = multi_block()
    over = [case for case in cases if case["nfe"] != case["actual_forwards"]]
    assert {case["nfe"] - case["actual_forwards"] for case in over} == {1}
    assert f"in {len(over)} of {len(cases)} recorded multi-block runs the reported number is one too high" in footguns()
    assert f"in the shortest {min(case['nfe'] for case in over)} instead of 1" in footguns()


def test_threshold_zero() -> None:
    settings = {"threshold": 0, "early_stop": False}
    cases = [case for case in multi_block() if settings.items() <= case["settings"].items()]
    fewer = [case for case in cases if case["actual_forwards"] < len(case["output_ids"]) - case["remaining_masks"]]
    assert len({case["decoder"] for case in cases}) == 6
    said = f"In {len(fewer)} of {len(cases)} recorded multi-block runs at threshold 0 without early stop"
    assert said in footguns()


def test_d2f_is_an_exception_among_the_copied_rows() -> None:
    copied = [p for p in published.points("tad", "llada") if p.task == "gsm8k" and p.copied_from]
    accuracies = [point.accuracy for point in copied if point.method != "d2f"]
    assert f"the copied rows ({min(accuracies):.2f} to {max(accuracies):.2f}) neither, D2F's 74.98" in footguns()
    told = {finding.text for finding in published.known_differences(["tad"], "llada")}
    for text in ("D2F: gsm8k_cot, one shot, chat.", "D2F: chat, multi-turn, 512 new tokens."):
        assert len([one for one in told if one.startswith("TAD's rows") and one.endswith(text)]) == 1
