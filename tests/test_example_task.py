"""A task from outside, as docs/add-a-task.md makes one: found, asked, scored; and what a wrong one is answered."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

import tasks
from tasks import catalogue, gold, protocols
from tasks.catalogue import Extension
from tasks.data import Source
from tasks.errors import TasksError
from tests.outside import ROOT, metadata, path_with

SVAMP = ROOT / "examples" / "svamp"


def forget() -> None:
    """Look for packages again."""
    for cached in (catalogue.extensions, catalogue.files, protocols.ids, protocols.get):
        cached.cache_clear()


@pytest.fixture
def svamp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The example on the path."""
    monkeypatch.syspath_prepend(str(SVAMP))
    monkeypatch.syspath_prepend(str(metadata(SVAMP, tmp_path / "installed")))
    forget()
    yield
    forget()


@pytest.fixture
def point(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A function that makes an object, or what a text names, the one entry point of the group."""

    def register(thing: object = None, value: str = "outside_tasks:THING") -> None:
        monkeypatch.setitem(sys.modules, "outside_tasks", type("Module", (), {"THING": thing}))
        found = [EntryPoint("mine", value, catalogue.GROUP)]
        monkeypatch.setattr(catalogue, "entry_points", lambda group: found)
        forget()

    yield register
    forget()


@pytest.mark.usefixtures("svamp")
def test_every_gold_answer_scores() -> None:
    found = gold.gold(tasks.load(protocols.get("mini/svamp"), Source("mini")))
    assert (found["n"], found["correct"], found["strict"]) == (300, 300, 300)


@pytest.mark.usefixtures("svamp")
def test_real_rows_are_read_asked_and_scored(tmp_path: Path) -> None:
    from tasks.scoring import score

    row = {"ID": "chal-1", "Body": "Each pack costs 76 dollars, less 25", "Question": "What is due?"}
    row |= {"Equation": "( 76.0 - 25.0 )", "Answer": "51.0", "Type": "Subtraction"}
    (tmp_path / "svamp").mkdir()
    (tmp_path / "svamp" / "test.jsonl").write_text(json.dumps(row), encoding="utf-8")
    loaded = tasks.load(protocols.get("mini/svamp"), Source("folder", tmp_path))
    (request,) = loaded.requests()
    assert request.args[0] == "Question: Each pack costs 76 dollars, less 25 What is due?\nAnswer:"
    (doc,) = loaded.docs
    assert [score(loaded, doc, text).correct for text in ("So 51.", "#### 51", "#### 25", "none")] == [
        *(True, True, False, False)
    ]
    (tmp_path / "svamp" / "test.jsonl").write_text(json.dumps(row | {"Answer": None}), encoding="utf-8")
    with pytest.raises(TasksError, match=r"line 1: the field 'Answer' holds NoneType"):
        tasks.load(protocols.get("mini/svamp"), Source("folder", tmp_path))


@pytest.mark.usefixtures("svamp")
def test_no_generated_problem_comes_twice_and_splits_differ() -> None:
    make = catalogue.dataset_of("svamp").make
    assert make is not None
    test, train = ([row["Body"] for row in make(split)] for split in ("test", "train"))
    assert len(set(test)) == 300
    assert test != train
    assert test == [row["Body"] for row in make("test")]


def test_a_suite_asks_it_under_its_own_set_of_protocols(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": path_with(SVAMP, tmp_path / "installed")}

    def harness(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "harness.cli", *words]
        return subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment)

    listed = json.loads(harness("ls", "tasks", "--protocol", "mini", "--json").stdout)
    assert [row["task"] for row in listed] == ["gsm8k", "math", "humaneval", "mbpp", "svamp"]
    done = harness("run", "--method", "tad_speed", "--task", "svamp", "--limit", "4", "--out", "runs")
    assert done.returncode == 0, done.stderr
    (run,) = (tmp_path / "runs" / "mini" / "tad_speed" / "svamp").glob("*/run.json")
    assert json.loads(run.read_text(encoding="utf-8"))["protocol"] == "mini/svamp"
    wrong = harness("run", "--suite", "dream", "--method", "vanilla", "--task", "svamp")
    assert wrong.returncode == 2
    assert wrong.stderr.splitlines()[-1].startswith("harness: Unknown task of the suite dream 'svamp'.")


def test_its_wheel_holds_the_yaml_files(tmp_path: Path) -> None:
    pytest.importorskip("hatchling")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, check=True, capture_output=True, cwd=SVAMP)
    (wheel,) = tmp_path.glob("*.whl")
    held = set(zipfile.ZipFile(wheel).namelist())
    ours = {str(file.relative_to(SVAMP)) for file in (SVAMP / "dllm_svamp").rglob("*.yaml")}
    assert len(ours) == 4
    assert ours <= held


def left_out(caplog: pytest.LogCaptureFixture, words: str) -> None:
    """One warning with `words`; our own tasks are there, and asking for the others says the same."""
    assert "gsm8k" in catalogue.datasets()
    (record,) = caplog.records
    assert re.search(words, record.getMessage())
    with pytest.raises(TasksError, match=words):
        catalogue.refuse_left_out("mine")
    catalogue._left_out.clear()


def test_what_is_no_extension_is_named(point: Any, caplog: pytest.LogCaptureFixture) -> None:
    point({"svamp": 1})
    left_out(caplog, r"'mine'.*\(outside_tasks:THING\) are not a tasks.catalogue.Extension")


def test_a_taken_task_is_named(point: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    point(Extension(tmp_path, {"math": catalogue.DATASETS["math"]}))
    assert "mini/math" in protocols.ids()
    left_out(caplog, r"\(outside_tasks:THING\) have the name of 'math', which already exists")


def test_a_taken_file_is_named(point: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "definitions").mkdir()
    (tmp_path / "definitions" / "mbpp.yaml").write_text("include: mbpp/mbpp.yaml\n", encoding="utf-8")
    point(Extension(tmp_path, {}))
    assert catalogue.definitions()["mbpp"].is_relative_to(catalogue.FOLDER)
    (record,) = caplog.records
    assert re.search(r"mbpp\.yaml has the name of .*definitions/mbpp\.yaml; rename one", record.getMessage())


def test_what_does_not_load_is_named(point: Any, caplog: pytest.LogCaptureFixture) -> None:
    point(value="no_such_module:X")
    left_out(caplog, r"'mine'.*\(no_such_module:X\) do not load: ModuleNotFoundError: No module named")


def test_a_protocol_of_an_unknown_task_is_refused(tmp_path: Path) -> None:
    text = protocols.file_of("mini/gsm8k").read_text(encoding="utf-8")
    (tmp_path / "one.yaml").write_text(text.replace("mini/gsm8k", "mini/sums").replace("task: gsm8k", "task: sums", 1))
    with pytest.raises(TasksError, match='task is "sums", but it must be one of gsm8k, long_gsm8k, math'):
        protocols.read(tmp_path / "one.yaml")
