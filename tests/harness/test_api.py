"""The harness from Python: its doctests run, its names are found, torch comes only with what decodes."""

from __future__ import annotations

import csv
import doctest
import inspect
import json
import subprocess
import sys
from pathlib import Path

import pytest

import harness
from harness import api
from harness.errors import UsageError
from harness.frames import Trace, html_table

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose default store the doctests have filled."""
    folder = tmp_path_factory.mktemp("work")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        found = doctest.testmod(api)
    assert found.failed == 0
    assert found.attempted >= 14
    return folder


def test_every_function_has_an_example_that_runs(place: Path) -> None:
    for name in ("run", "sweep", "report", "compare"):
        assert ">>>" in (inspect.getdoc(getattr(api, name)) or "")
    assert (place / "results" / "runs" / "mini").is_dir()


def test_a_result_holds_what_the_store_holds(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)
    result = harness.run("tad_speed", "gsm8k", limit=4)
    assert result.new == 0, "the doctest has stored it"
    lines = [json.loads(line) for line in (result.path / "samples.jsonl").read_text(encoding="utf-8").splitlines()]
    assert list(result.samples["tokens"]) == [line["tokens"] for line in lines]
    frame = result.trace(2).to_frame().sort_values("position")
    assert list(frame["token"]) == lines[2]["pieces"]
    assert list(frame["forward"]) == lines[2]["trace"]
    assert f"<td>{result.summary['tokens']}</td>" in result._repr_html_()
    assert "method=tad_speed" in repr(result)
    with pytest.raises(KeyError):
        result.trace(77)


def test_a_report_holds_what_its_files_hold(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)
    made = harness.report(draws=0, out="out/report", figures=False, page=False)
    with open("out/report/points.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert sorted(row["run_id"] for row in rows) == sorted(made.points["run_id"])
    assert {row["seed"] for row in rows} == {"0"}
    assert sorted(made.to_frame()["method"]) == ["multi_block", "tad_speed"]
    assert "<td>tad_speed</td>" in made._repr_html_()


def test_names_are_found_and_none_brings_torch() -> None:
    code = (
        "import sys, harness\n"
        "assert {'run', 'sweep', 'report', 'compare', 'load_runs'} <= set(dir(harness))\n"
        "[getattr(harness, name) for name in dir(harness)]\n"
        "harness.report([], published=['tad'], suite='llada', draws=0).to_frame()\n"
        "print('torch' in sys.modules)"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "False"


@pytest.mark.parametrize("name", ["sweep", "compare"])
def test_a_door_stays_open_after_its_module_was_imported(name: str) -> None:
    code = (
        f"import harness.{name}, inspect\n"
        f"from harness.{name} import __name__ as home\n"
        f"print(callable(harness.{name}), home, list(inspect.signature(harness.{name}).parameters)[0])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    first = {"sweep": "methods", "compare": "a"}[name]
    assert shown.stdout.split() == ["True", f"harness.{name}", first]


def test_wrong_names_are_usage_errors() -> None:
    with pytest.raises(UsageError, match="Did you mean 'batch_size'"):
        harness.run("tad_speed", "gsm8k", batchsize=2)
    with pytest.raises(AttributeError, match="no attribute 'rum'"):
        harness.rum  # noqa: B018


def test_html_shows_texts_as_texts() -> None:
    assert "<td>&lt;b&gt;</td>" in html_table([{"x": "<b>"}])
    trace = Trace(0, ("<s>", "a"), (2, 0), 1)
    assert "&lt;s&gt;" in trace._repr_html_()
    assert trace.to_frame()["token"].tolist() == ["a", "<s>"]


@pytest.mark.parametrize("room", ["harness", "methods", "tasks", "reports"])
def test_every_package_says_that_it_is_typed(room: str) -> None:
    assert (ROOT / room / "py.typed").exists()
