"""Tables fit their terminal: ids and numbers are never broken, columns give way in a stated order, pipes get it all."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import layout
from harness.show import SUMMARY_GIVES_WAY, print_summary
from methods.registry import names
from tests.harness.verbs import in_process

SUMMARY = {
    "method": "fast_dllm_factor",
    "task": "humaneval",
    "n_samples": 500,
    "errors": 0,
    "accuracy": 84.6,
    "accuracy_ci95": [81.2, 87.5],
    "tpf": 13.02,
    "tpf_ci95": [12.98, 13.07],
    "tokens": 1_217_653,
    "forwards": 1_105_841,
    "tps": 10_854.2,
    "batch_size": 16,
    "device": "cuda:0",
}


@pytest.fixture(autouse=True)
def _a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    """pytest-xdist sets COLUMNS in its workers."""
    monkeypatch.delenv("COLUMNS", raising=False)


def test_nothing_is_wrapped_in_a_pipe() -> None:
    environment = {"PATH": "/usr/bin:/bin"}
    command = [sys.executable, "-m", "harness.cli", "ls", "methods"]
    shown = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    lines = shown.stdout.splitlines()
    assert [line.split()[0] for line in lines[1:]] == [name for name in names() if not name.startswith("test_")]
    assert "summary" in lines[0]
    assert shown.stderr == ""


@pytest.mark.parametrize("width", ["20", "80", "100", "200"])
def test_no_name_is_broken_at_any_width(width: str, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", width)
    _, out, _ = in_process(capsys, "ls", "methods")
    assert set(names()) <= {line.split()[0] for line in out.splitlines() if line.split()}


def test_the_columns_that_give_way_are_named(capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    _, out, said = in_process(capsys, "ls", "methods")
    assert said.startswith("Too narrow for: title, family")
    assert max(map(len, out.splitlines())) <= 80
    monkeypatch.setenv("COLUMNS", "250")
    assert in_process(capsys, "ls", "methods")[2] == ""


def test_the_headline_fits_80_columns(capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    print_summary(SUMMARY)
    head, row = capsys.readouterr().out.splitlines()
    assert len(row) <= 80
    for part in ("fast_dllm_factor", "humaneval", "500", "84.6 [81.2, 87.5]", "13.02 [12.98, 13.07]"):
        assert part in row
    assert "forwards" not in head


@given(
    st.dictionaries(st.text("abcdef", min_size=1, max_size=9), st.integers(0, 60), min_size=1, max_size=6),
    st.integers(1, 150),
    st.data(),
)
def test_what_is_neither_prose_nor_gives_way_keeps_its_width(cells: dict[str, int], width: int, data: Any) -> None:
    columns = {name: ["x" * size] for name, size in cells.items()}
    prose = data.draw(st.lists(st.sampled_from(sorted(columns)), unique=True))
    order = data.draw(st.lists(st.sampled_from(sorted(columns)), unique=True))
    widths, left_out = layout.fitted(columns, width, prose, order)
    assert left_out == [name for name in order if name in left_out] == order[: len(left_out)]
    for name, own in widths.items():
        natural = max(len(name), cells[name])
        assert own == natural or (name in prose and layout.NARROWEST <= own < natural)
    total = sum(widths.values()) + layout.GAP * (len(widths) - 1)
    if len(left_out) < len(order):
        assert total <= width
    assert layout.fitted(columns, None, prose, order) == (
        {name: max(len(name), size) for name, size in cells.items()},
        [],
    )


def test_csv_and_markdown_of_the_same_rows(capsys: Any) -> None:
    _, text, _ = in_process(capsys, "ls", "methods", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert rows == json.loads(in_process(capsys, "ls", "methods", "--format", "json")[1])
    _, text, _ = in_process(capsys, "ls", "methods", "--format", "md")
    assert len(text.splitlines()) == len(rows) + 2
    assert all(line.startswith("| ") and line.endswith(" |") for line in text.splitlines())


def test_csv_of_intervals_mappings_and_truths() -> None:
    row = {"run": "a,b", "accuracy_ci95": [1.0, 2.5], "tpf_ci95": None, "forwards": {"denoise": 3}, "done": True}
    text = layout.csv_text([row])
    (found,) = csv.DictReader(io.StringIO(text))
    assert found == {
        "run": "a,b",
        "accuracy_ci95_lo": "1.0",
        "accuracy_ci95_hi": "2.5",
        "tpf_ci95_lo": "",
        "tpf_ci95_hi": "",
        "forwards.denoise": "3",
        "done": "true",
    }
    assert layout.markdown([{"a": "x|y\nz", "b": None}]).splitlines()[2] == "| x\\|y z |  |"


def test_an_unknown_format_is_wrong_usage(capsys: Any) -> None:
    code, _, said = in_process(capsys, "ls", "suites", "--format", "jsn")
    assert (code, "Did you mean 'json'?" in said) == (2, True)


def test_the_order_in_which_the_headline_gives_way_names_its_columns() -> None:
    from harness.show import summary_row

    assert set(SUMMARY_GIVES_WAY) < set(summary_row(SUMMARY))
