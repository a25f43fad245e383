"""`harness decode --text`: one prompt without a task, and its trace with runs of EOS collapsed."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.replay import LONG, by_forward, collapsed
from harness.store import find_runs
from tests.harness.verbs import in_process


def test_a_text_decodes_to_what_a_run_of_it_decodes(suite: str, tmp_path: Path, capsys: Any) -> None:
    flags = ("--method", "test_entropy", "--suite", suite)
    code, _, said = in_process(capsys, "run", *flags, "--task", "gsm8k", "--limit", "1", "--out", str(tmp_path))
    assert code == 0, said
    (sample,) = find_runs(tmp_path)[0].samples()
    code, out, said = in_process(capsys, "decode", *flags, "--text", sample["prompt"], "--json")
    assert code == 0, said
    line = json.loads(out)
    for name in ("output_ids", "trace", "prompt_tokens", "forwards"):
        assert line[name] == sample[name], name
    code, out, _ = in_process(capsys, "decode", *flags, "--text", sample["prompt"], "--trace")
    assert (code, "committed (position:text)" in out) == (0, True)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--text", "a"), "--text needs --method M"),
        (("--text", "", "--method", "test_entropy"), "--text is empty"),
        (("--text", "a", "--method", "test_entropi"), "Did you mean 'test_entropy'"),
        (("--text", "a", "--method", "test_entropy", "--set", "treshold=1"), "Did you mean 'threshold'"),
        (("--text", "a " * 5000, "--method", "test_entropy"), "The prompt has "),
        ((), "One prompt needs --text and --method"),
    ],
)
def test_a_slip_is_one_sentence(arguments: tuple[str, ...], said: str, suite: str, capsys: Any) -> None:
    code, _, error = in_process(capsys, "decode", "--suite", suite, *arguments)
    assert (code, said in error) == (2, True), error


@given(st.lists(st.sampled_from("ab"), max_size=30))
def test_collapsing_loses_nothing(pieces: list[str]) -> None:
    runs = collapsed(pieces)
    assert "".join(pieces[at] * many for at, many in runs) == "".join(pieces)
    assert all(many == 1 or many >= LONG for _, many in runs)
    for (at, many), (after, _) in pairwise(runs):
        assert many < LONG or pieces[at] != pieces[after]


def test_a_run_of_eos_is_one_entry() -> None:
    pieces, trace = ["a", *["<eos>"] * 9, "b"], [1, *[2] * 4, 3, *[2] * 4, 2]
    rows = by_forward({"pieces": pieces, "trace": trace, "output_ids": [0] * len(pieces)})
    assert [row["tokens"] for row in rows] == [1, 9, 1]
    assert rows[1]["committed (position:text)"] == '1:"<eos>" ×4  6:"<eos>" ×4  10:"b"'
