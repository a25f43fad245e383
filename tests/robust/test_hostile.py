"""What stored text, names and foreign packages can no longer do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from harness.errors import UserError
from harness.metrics import summarise
from harness.store import RunFolder, StoreError, find_runs, merge
from harness.terminal import plain
from tests.harness.samples import make_run, make_sample
from tests.robust.fuzzing import content, verb

ESCAPE = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202e"


def written(store: Path, finish: bool = True, **changes: Any) -> Path:
    """A run of two documents in `store`; returns its folder."""
    run = make_run(**changes)
    path = store / run["suite"] / run["method"] / run["task"] / run["run_id"]
    lines = [make_sample(doc_id, extracted=ESCAPE, detail=ESCAPE) for doc_id in range(2)]
    with RunFolder(path).open(run) as folder:
        for line in lines:
            folder.append(line)
        if finish:
            folder.finish(summarise(run, lines))
    return path


def edit(file: Path, **changes: Any) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text(encoding="utf-8")), **changes}), encoding="utf-8")


@pytest.mark.parametrize("key", ["suite", "method", "task", "run_id"])
@pytest.mark.parametrize("name", ["../../x", "/tmp/x", "..", ".", "a/b", "", ".hidden", "a\nb", "x" * 300, None, 7])
def test_a_name_that_leads_elsewhere_is_refused_by_every_reader(tmp_path: Path, key: str, name: Any) -> None:
    good = written(tmp_path / "source", seed=1)
    edit(written(tmp_path / "source") / "run.json", **{key: name})
    before = content(tmp_path)
    with pytest.raises(StoreError, match=key):
        merge(tmp_path / "source", tmp_path / "deep" / "er" / "target")
    assert content(tmp_path) == before
    code, out, err = verb("ls", "runs", "--out", str(tmp_path / "source"), "--json")
    assert (code, [row["path"] for row in json.loads(out)]) == (0, [str(good)])
    assert err.count("\n") == 1


def test_nothing_stored_drives_the_terminal(tmp_path: Path) -> None:
    path = written(tmp_path, setting={"note": ESCAPE}, axis="note", axis_value=ESCAPE)
    for words in (["ls", "runs", "--out", str(tmp_path)], ["show", str(path)], ["show", str(path), "--sample", "1"]):
        for json_too in ([], ["--json"]):
            code, out, err = verb(*words, *json_too)
            assert code == 0, err
            assert all(c.isprintable() or c == "\n" for c in out + err), ascii(out)
    code, _, err = verb("show", f"no{ESCAPE}such", "--out", str(tmp_path))
    assert code == 2
    assert all(c.isprintable() or c == "\n" for c in err)
    assert plain("a\tb\nc\ud800") == "a␉b\nc\\ud800"


def test_verbs_print_through_the_one_printer() -> None:
    """No verb calls print or typer.echo itself."""
    import ast

    for file in Path("harness/verbs").glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                assert ast.unparse(node.func) not in ("print", "typer.echo"), f"{file}:{node.lineno}"


def test_a_report_has_no_link_from_stored_text() -> None:
    from reports.formats import markdown_text

    for text in (
        "[x](javascript:alert(1))",
        "![x](//host/a.png)",
        "[x][y]",
        "[y]: https://example.org",
        "<https://a.b>",
    ):
        found = markdown_text(text)
        assert "](" not in found
        assert "][" not in found
        assert "]:" not in found
        assert "://" not in found
        assert "<" not in found
    assert "www." not in markdown_text("see WWW.example.org")
    assert markdown_text("a\x1b[31m") == "a&#92;x1b[31m"


@pytest.mark.parametrize(
    ("file", "text", "words"),
    [
        ("run.json", "", "not valid JSON"),
        ("run.json", '{"schema_version": 99}', "schema version 99"),
        ("summary.json", "{}", "harness score"),
        ("summary.json", "{ torn", "harness score"),
        ("summary.json", '{"n_samples": 2, "accuracy": NaN}', "harness score"),
    ],
)
def test_one_damaged_run_does_not_hide_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str, text: str, words: str
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)  # a narrow table says on stderr what it left out
    good, bad = written(tmp_path, seed=1), written(tmp_path)
    (bad / file).write_text(text, encoding="utf-8")
    code, out, err = verb("ls", "runs", "--out", str(tmp_path))
    assert code == 0
    assert good.name in out
    assert bad.name not in out
    assert len(err.splitlines()) == 1
    assert str(bad / file) in err
    assert words in err


@pytest.mark.parametrize(
    "changes",
    [{"seconds": float("nan")}, {"doc_id": -1}, {"doc_id": True}, {"correct": "yes"}, {"forwards": 3}, {"tokens": 1.5}],
)
def test_an_edited_sample_is_named_by_its_line(tmp_path: Path, changes: dict[str, Any]) -> None:
    import harness

    path = written(tmp_path)
    file = path / "samples.jsonl"
    lines = file.read_text(encoding="utf-8").splitlines()
    lines[1] = json.dumps({**json.loads(lines[1]), **changes})
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    for read in (lambda: list(RunFolder(path).samples()), lambda: harness.load_runs(tmp_path)):
        with pytest.raises(StoreError, match="line 2 is damaged: " + next(iter(changes))):
            read()


def test_sessions_null_is_a_run_without_sessions(tmp_path: Path) -> None:
    path = written(tmp_path)
    edit(path / "run.json", sessions=None)
    assert RunFolder(path).run()["sessions"] == []
    assert verb("show", str(path))[0] == 0


def test_fresh_never_renames_a_folder_that_is_written(tmp_path: Path) -> None:
    """Many at once: each finds the folder idle or is told that it is busy; no writer loses the folder under it."""
    run = make_run()
    path = tmp_path / "run"
    lost: list[str] = []

    def work() -> None:
        for _ in range(25):
            folder = RunFolder(path)
            folder.set_aside()
            with folder.open(run) as mine:
                inode = (path / ".lock").stat().st_ino
                mine.append(make_sample(0))
                if (path / ".lock").stat().st_ino != inode:
                    lost.append("renamed while it was written")

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert lost == []
    # two that start together may share the new folder, one after the other; no line is lost in any case
    lines = [folder.read_bytes().count(b"\n") for folder in tmp_path.glob("run*/samples.jsonl")]
    assert sum(lines) == 4 * 25


def test_temporary_files_of_killed_writers_go(tmp_path: Path) -> None:
    path = written(tmp_path)
    dead = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True)
    left = path / f".run.json.{dead.stdout.strip()}.tmp"
    mine = path / f".run.json.{os.getppid()}.tmp"
    for file in (left, mine):
        file.write_text("{", encoding="utf-8")
    with RunFolder(path).open(RunFolder(path).run()):
        pass
    assert not left.exists()
    assert mine.exists()
    assert len(find_runs(tmp_path)) == 1


class Dist:
    name, version = "evil-plugin", "6.6"


def broken_point(group: str) -> EntryPoint:
    point = EntryPoint("evil", "no_such_module:METHOD", group)
    vars(point)["dist"] = Dist
    return point


def test_a_broken_method_of_another_package_is_left_out(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from methods import registry
    from methods.errors import MethodsError

    everything = registry.all_methods.__wrapped__
    monkeypatch.setattr(registry, "entry_points", lambda group: [broken_point(group)])
    found = everything()
    assert "tad_speed" in found
    (record,) = caplog.records
    assert "evil-plugin 6.6" in record.getMessage()
    monkeypatch.setattr(registry, "all_methods", lambda: found)
    with pytest.raises(MethodsError, match=r"evil-plugin 6\.6.*does not load"):
        registry.get("evil")
    registry._left_out.pop("evil")


def test_broken_tasks_of_another_package_are_left_out(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from tasks import catalogue
    from tasks.errors import TasksError

    monkeypatch.setattr(catalogue, "entry_points", lambda group: [broken_point(group)])
    assert catalogue.extensions.__wrapped__() == ()
    assert "evil-plugin 6.6" in caplog.records[0].getMessage()
    with pytest.raises(TasksError, match="do not load"):
        catalogue.refuse_left_out("evil")
    catalogue._left_out.pop("evil")


class Template:
    """A tokenizer whose chat template is real Jinja."""

    def __init__(self, text: str) -> None:
        self.chat_template = text

    def apply_chat_template(self, history: Any, **options: Any) -> str:
        from transformers.utils.chat_template_utils import render_jinja_template

        return str(render_jinja_template([history], chat_template=self.chat_template)[0][0])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{% for m in messages %}{{ m.content }}", "TemplateSyntaxError"),
        ("{{ raise_exception('only alternating roles') }}", "only alternating roles"),
        ("{{ messages[7].content.strip() }}", "UndefinedError"),
        ("", "no chat template"),
        ("{# nothing #}", "leaves the question out"),
        ("hello", "leaves the question out"),
    ],
)
def test_a_chat_template_that_fails_or_says_nothing(text: str, words: str) -> None:
    from harness.runner.prompts import template

    with pytest.raises(UserError, match=words):
        template(Template(text))([{"role": "user", "content": "What is 2 + 2?"}])


def test_a_chat_template_that_works() -> None:
    from harness.runner.prompts import template

    turn = [{"role": "user", "content": "What is 2 + 2?"}]
    assert template(Template("<{{ messages[0].content }}>"))(turn) == "<What is 2 + 2?>"


def test_a_length_that_is_no_whole_number_is_refused() -> None:
    from methods.errors import MethodsUsageError
    from methods.reference.prompts_file import read_lines

    line = {"id": 1, "prompt_ids": [5], "decoder": "d3llm", "settings": {"gen_length": 1.5}}
    with pytest.raises(MethodsUsageError, match=r"gen_length=1\.5 is not allowed"):
        read_lines([json.dumps(line)], Path("/nowhere"))
