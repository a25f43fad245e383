"""Input that is broken or does not exist: one sentence and an exit code from every verb, never a traceback."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from harness.errors import UserError
from harness.runner.prompts import template
from harness.store import RunFolder, StoreError, find_runs
from harness.store import find as finding
from harness.suites import parse
from tests.harness.samples import make_run
from tests.harness.test_command_line import interrupted
from tests.harness.verbs import in_process

LATIN = "title: caf\xe9\n".encode("latin-1")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["run", "--method", "test_entropy", "--task", "gsm8k", "--suite", "FILE.yaml"], 1, "is not valid YAML"),
        (["sweep", "--methods", "tad_speed", "--points", "FILE.yaml"], 2, "is not valid YAML"),
        (["decode", "--checkpoint", ".", "--prompts", "FILE.yaml", "--out", "x"], 2, "cannot be read as UTF-8"),
    ],
)
def test_a_file_of_another_encoding_is_named(
    arguments: list[str], code: int, said: str, tmp_path: Path, capsys: Any
) -> None:
    (tmp_path / "latin.yaml").write_bytes(LATIN)
    found = in_process(capsys, *(word.replace("FILE", str(tmp_path / "latin")) for word in arguments))
    assert found[0] == code
    assert said in found[2]


def test_decode_looks_at_out_before_it_decodes(tmp_path: Path, capsys: Any) -> None:
    (tmp_path / "p.jsonl").write_text("{}")
    words = ["--checkpoint", "/nowhere", "--prompts", str(tmp_path / "p.jsonl"), "--out", str(tmp_path)]
    code, _, said = in_process(capsys, "decode", *words)
    assert (code, "is a folder" in said) == (2, True)


def test_an_unreadable_folder_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with RunFolder(tmp_path / "a").open(make_run()):
        pass
    locked, original = tmp_path / "locked", Path.iterdir
    locked.mkdir()

    def refuse(path: Path) -> Any:
        if path == locked:
            raise PermissionError(13, "Permission denied")
        return original(path)

    monkeypatch.setattr(finding.Path, "iterdir", refuse)
    with pytest.raises(StoreError, match="locked cannot be read: Permission denied"):
        find_runs(tmp_path)


def test_a_launchers_variable_that_is_no_number_is_named(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setenv("WORLD_SIZE", "abc")
    code, _, said = in_process(capsys, "run", "--method", "test_entropy", "--task", "gsm8k")
    assert (code, "WORLD_SIZE is 'abc' in the environment, not a number" in said) == (1, True)


def test_a_missing_chat_template_is_one_sentence() -> None:
    with pytest.raises(UserError, match="has no chat template"):
        template(object())


def broken(suite: str, place: Path, old: str, new: str) -> str:
    """A copy of the suite with one mistake."""
    text = Path(suite).read_text()
    assert old in text
    (place / "bad.suite").write_text(text.replace(old, new))
    return str(place / "bad.suite")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("test_entropy:", "test_entorpy:", "Did you mean 'test_entropy'"),
        ("test_entropy: {all:", "test_entropy: {gsm9k:", "Did you mean 'gsm8k'"),
        ("block_size: 8}}\n  test_other", "blok_size: 8}}\n  test_other", "Did you mean 'block_size'"),
        ("gen_length: 16", "gen_length: many", "gen_length=many is not allowed"),
        ("arch: llada", "arch: lada", "arch lada is not one of"),
        ("context: 512", "context: true", "context True is not a positive integer"),
        ("name: mini", "name: ../../evil", "may only hold letters"),
        ("gsm8k: mini/gsm8k", "../x: mini/gsm8k", "may only hold letters"),
        ("gsm8k: mini/gsm8k", "gsm8k: mini/gsm9k", "mini/gsm9k"),
    ],
)
def test_a_broken_suite_is_not_valid(suite: str, tmp_path: Path, capsys: Any, old: str, new: str, said: str) -> None:
    path = broken(suite, tmp_path, old, new)
    code, _, error = in_process(capsys, "validate", path)
    assert code == 2
    assert said in error
    assert path in error


def test_a_suite_is_valid_whatever_its_file_is_called(suite: str, tmp_path: Path, capsys: Any) -> None:
    code, out, error = in_process(capsys, "validate", broken(suite, tmp_path, "Tiny", "tiny"))
    assert (code, "a valid suite" in out) == (0, True), error


def test_a_suite_that_would_write_elsewhere_is_not_read(suite: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="may only hold letters"):
        parse(Path(broken(suite, tmp_path, "name: mini", "name: ../../evil")))


def test_a_recipe_whose_variants_are_no_table(tmp_path: Path, capsys: Any) -> None:
    (tmp_path / "r.yaml").write_text("objective: x\nvariants: 5\n")
    code, _, said = in_process(capsys, "validate", str(tmp_path / "r.yaml"))
    assert (code, "needs at least one entry under variants" in said) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--device", "foo"], 2, "Unknown device 'foo'"),
        (["--device", "cuda:x"], 2, "Unknown device"),
        (["--dtype", "foo"], 2, "Unknown dtype 'foo'"),
        (["--adapter", "nope"], 1, ""),
    ],
)
def test_the_doctor_refuses_what_cannot_run(arguments: list[str], code: int, said: str, capsys: Any) -> None:
    found, out, error = in_process(capsys, "doctor", "--offline", "--json", *arguments)
    assert found == code
    assert said in error
    if code == 1:
        (one,) = [row for row in json.loads(out)["findings"] if row["check"] == "given adapter"]
        assert one["state"] == "missing"


def test_sweep_names_the_command_that_continues(suite: str, tmp_path: Path) -> None:
    words = ["sweep", "--methods", "test_entropy", "--tasks", "gsm8k", "--suite", suite, "--out", str(tmp_path)]
    words += ["--limit", "400", "--batch-size", "1", "--calibrate", "0"]
    said = interrupted([sys.executable, "-m", "tests.harness.launch", *words], tmp_path)
    assert f"Continue with:\n  harness {' '.join(words)}" in said
    assert "Traceback" not in said


def test_ctrl_c_is_never_silent(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    def stop() -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr("methods.registry.all_methods", stop)
    code, _, said = in_process(capsys, "ls", "methods")
    assert (code, said) == (130, "harness: interrupted; what was finished is kept.\n")


def test_a_negative_refinement_is_refused(capsys: Any) -> None:
    code, _, said = in_process(capsys, "sweep", "--refine", "-1", "--dry-run")
    assert (code, "--refine" in said) == (2, True)
