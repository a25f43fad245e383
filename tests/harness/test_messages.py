"""What a slip on the command line is answered with: one sentence that names the thing and the way out."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.store import find_runs
from tests.harness.verbs import in_process

ROOT = Path(__file__).parents[2]
RUN = ("run", "--method", "test_entropy", "--task", "gsm8k")


def test_several_methods_point_to_a_sweep(suite: str, capsys: Any) -> None:
    code, _, said = in_process(capsys, "run", "--suite", suite, "--method", "a,b", "--task", "gsm8k")
    assert (code, "harness sweep --methods a,b --tasks gsm8k" in said) == (2, True)
    code, _, said = in_process(capsys, "run", "--suite", suite, "--method", "a", "--task", "gsm8k,math")
    assert (code, "harness sweep --methods a --tasks gsm8k,math" in said) == (2, True)


def test_an_unknown_protocol_lists_the_sets_that_have_the_task(suite: str, capsys: Any) -> None:
    code, _, said = in_process(capsys, *RUN, "--suite", suite, "--protocol", "lada-fair")
    assert (code, "Did you mean 'llada-fair'?" in said) == (2, True)
    code, _, said = in_process(
        capsys, "run", "--method", "ar", "--task", "humaneval_plus", "--suite", suite, "--protocol", "llada-fair"
    )
    assert code == 2
    known = re.search(r"Known: (.*)\.", said)
    assert known is not None
    assert known[1] == "dream_coder-d3llm, dream_coder-fair"


def test_a_protocol_file_is_run_verified_and_scored_again(suite: str, tmp_path: Path, capsys: Any) -> None:
    text = yaml.safe_load((ROOT / "tasks/protocols/mini/gsm8k.yaml").read_text(encoding="utf-8"))
    file = tmp_path / "mine.yaml"
    file.write_text(yaml.safe_dump(text | {"id": "mine/gsm8k", "user_suffix": " Go."}), encoding="utf-8")
    store = ("--out", str(tmp_path / "runs"))
    code, _, said = in_process(capsys, *RUN, "--suite", suite, "--protocol", str(file), "--limit", "2", *store)
    assert code == 0, said
    (folder,) = find_runs(tmp_path / "runs")
    assert folder.run()["protocol"] == "mine/gsm8k"
    assert all(sample["prompt"].endswith(" Go.") for sample in folder.samples())
    code, out, said = in_process(capsys, "run", "--verify", folder.run_id, *store)
    assert (code, "2 samples of" in out) == (0, True), said
    code, out, said = in_process(capsys, "score", folder.run_id, *store)
    assert (code, "0 of 2 samples" in out) == (0, True), said


def test_a_protocol_file_of_another_task_is_refused(suite: str, capsys: Any) -> None:
    file = str(ROOT / "tasks/protocols/mini/math.yaml")
    code, _, said = in_process(capsys, *RUN, "--suite", suite, "--protocol", file)
    assert (code, "is for the task math, not gsm8k" in said) == (2, True)
    code, _, said = in_process(capsys, *RUN, "--suite", suite, "--protocol", "no/such.yaml")
    assert (code, "no/such.yaml" in said) == (2, True)


@pytest.mark.parametrize("name", ["qwerty", "zzz", "m"])
def test_nothing_far_off_is_suggested(name: str, capsys: Any) -> None:
    code, _, said = in_process(capsys, "ls", "methods", name)
    assert (code, "Did you mean" in said) == (2, False)


@pytest.mark.parametrize(("name", "meant"), [("tad_sped", "tad_speed"), ("fast_dlm_dual", "fast_dllm_dual")])
def test_what_is_close_is_suggested(name: str, meant: str, capsys: Any) -> None:
    assert f"Did you mean {meant!r}?" in in_process(capsys, "ls", "methods", name)[2]


def test_runs_of_a_store_that_is_not_there_yet(tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, _ = in_process(capsys, "ls", "runs", "--json")
    assert (code, json.loads(out)) == (0, [])
    assert in_process(capsys, "ls", "runs")[:2] == (0, "nothing yet\n")
    code, _, said = in_process(capsys, "ls", "runs", "--out", "elsewhere")
    assert (code, "There is no folder elsewhere" in said) == (2, True)


def test_a_wrong_data_dir_is_wrong_usage(suite: str, capsys: Any) -> None:
    code, _, said = in_process(capsys, *RUN, "--suite", suite, "--data-dir", "no/such")
    assert (code, "There is no no/such/gsm8k/test.jsonl" in said) == (2, True)


def test_a_report_into_a_file_says_so(tmp_path: Path, capsys: Any) -> None:
    (tmp_path / "report").write_text("mine")
    code, _, said = in_process(capsys, "report", "--published", "--out", str(tmp_path / "report"))
    assert (code, "is a file; it takes a folder" in said) == (2, True)
    assert (tmp_path / "report").read_text() == "mine"


@pytest.mark.parametrize("id", ["llada-fair/math", "dream-tad/gsm8k"])
def test_no_python_spelling_is_shown(id: str, capsys: Any) -> None:
    code, out, _ = in_process(capsys, "validate", id)
    assert code == 0
    assert not re.search(r"\b(None|True|False)\b|\('", out.replace("None of", ""))
    assert "chat_template: true" in out


def test_run_and_compare_write_rows(suite: str, tmp_path: Path, capsys: Any) -> None:
    store = ("--out", str(tmp_path))
    for seed in ("0", "1"):
        run = (*RUN, "--suite", suite, "--limit", "3", "--seed", seed, *store)
        code, out, said = in_process(capsys, *run, "--format", "csv")
        assert code == 0, said
        assert said.startswith("test_entropy gsm8k: loading"), "a first line before anything can be counted"
    (row,) = csv.DictReader(io.StringIO(out))
    assert (row["n_samples"], row["method"]) == ("3", "test_entropy")
    assert float(row["accuracy_ci95_lo"]) <= float(row["accuracy"]) <= float(row["accuracy_ci95_hi"])
    assert in_process(capsys, *run, "--format", "md")[1].startswith("| method | task | n | accuracy % | TPF |")
    a, b = (folder.run_id for folder in find_runs(tmp_path))
    code, out, _ = in_process(capsys, "compare", a, b, *store, "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert (code, [row["metric"] for row in rows]) == (0, ["accuracy", "tpf", "aup_clipped", "aup"])
    assert all(float(row["lo"]) <= float(row["difference"]) <= float(row["hi"]) for row in rows)
    assert (float(rows[1]["difference"]), rows[1]["n"]) == (0.0, "3"), "a seed changes nothing for a greedy method"
