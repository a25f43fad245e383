"""`harness bench decode`: every measurement gives its rows and leaves the model as it was. No time is judged here."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from harness import bench
from methods.backbones import load
from tests.harness.verbs import in_process

TINY = str(Path(__file__).parents[1] / "data" / "golden" / "checkpoints" / "llada_rand")


def test_every_measurement_gives_positive_ratios(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--gen-length", "32", "--repeats", "1", "--batches", "2", "--json")
    code, out, _ = in_process(capsys, "bench", "decode", "--checkpoint", TINY, *words)
    assert code == 0
    found = json.loads(out)
    assert {"device", "torch", "threads", "load", "dtype"} <= set(found["machine"])
    measures = [row["measure"] for row in found["rows"]]
    assert set(measures) == {"overhead", "head", "entropy", "throughput", "positions", "seconds", "sweep"}
    assert measures.count("throughput") == 7
    assert all(math.isfinite(row["value"]) and row["value"] > 0 for row in found["rows"])


def test_the_model_is_left_as_it_was() -> None:
    backbone = load(TINY, device="cpu", dtype="float32")
    before = dict(vars(backbone))
    row = bench.overhead(backbone, 2, 32, 1)
    assert vars(backbone) == before
    assert row["case"] == "batch 2"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--only", "overhaed"), "Unknown measurement 'overhaed'. Did you mean 'overhead'?"),
        (("--batches", "1,x"), "--batches 1,x is not a list of numbers"),
        (("--gen-length", "48"), "--gen-length must be a multiple of 32"),
    ],
)
def test_what_cannot_be_measured_is_one_sentence(
    words: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = in_process(capsys, "bench", "decode", "--checkpoint", TINY, *words)
    assert (code, message in err) == (2, True)
    assert "Traceback" not in err
