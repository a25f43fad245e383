"""The verbs as processes: kill -9 and continue, Ctrl-C, exit codes, JSON, show and ls."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from harness.store import RunFolder, find_runs
from tests.harness.verbs import in_process

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "160"}


def words(suite: str, out: Path, *more: str) -> list[str]:
    """The command line of `harness run` in a process of its own."""
    common = ["--method", "test_entropy", "--task", "gsm8k", "--suite", suite, "--out", str(out), "--batch-size", "2"]
    return [sys.executable, "-m", "tests.harness.launch", "run", *common, *more]


def launch(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.harness.launch", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, check=False)


def wait_for(out: Path, samples: int, process: subprocess.Popen[str]) -> None:
    """Until the run has stored at least `samples` lines."""
    while process.poll() is None:
        files = list(out.rglob("samples.jsonl"))
        if files and files[0].read_bytes().count(b"\n") >= samples:
            return
        time.sleep(0.002)
    raise AssertionError(f"the run ended by itself: {process.communicate()}")


def interrupted(command: list[str], out: Path) -> str:
    """What a command says on stderr when Ctrl-C stops it after two stored samples."""
    process = subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
        # a background job of a shell (a CI runner, say) ignores SIGINT and hands that down
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    wait_for(out, 2, process)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate()
    assert process.returncode == 130, said
    return said


def content(out: Path) -> str:
    """samples.jsonl of the only run in a store, without seconds."""
    (folder,) = find_runs(out)
    return re.sub(r'"seconds": [0-9.e-]+', '"seconds": 0', (folder.path / "samples.jsonl").read_text(encoding="utf-8"))


def test_kill_9_loses_nothing_and_repeats_nothing(suite: str, tmp_path: Path) -> None:
    limit = ["--limit", "120", "--batch-size", "1"]  # slow enough to be killed in the middle
    for stop in (3, 41):
        process = subprocess.Popen(words(suite, tmp_path / "killed", *limit), stderr=subprocess.PIPE, env=ENVIRONMENT)
        wait_for(tmp_path / "killed", stop, process)  # type: ignore[arg-type]
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
    (folder,) = find_runs(tmp_path / "killed")
    assert not folder.finished
    stored = folder.done()
    assert 41 <= len(stored) < 120
    last = subprocess.run(
        words(suite, tmp_path / "killed", *limit, "--json"), capture_output=True, text=True, env=ENVIRONMENT, check=True
    )
    assert json.loads(last.stdout)["new"] == 120 - len(stored)
    subprocess.run(words(suite, tmp_path / "whole", *limit), capture_output=True, env=ENVIRONMENT, check=True)
    assert content(tmp_path / "killed") == content(tmp_path / "whole")
    first, second = (find_runs(tmp_path / name)[0].summary() for name in ("killed", "whole"))
    assert first is not None
    assert second is not None
    times = {"tps", "decode_seconds"}
    assert {k: v for k, v in first.items() if k not in times} == {k: v for k, v in second.items() if k not in times}


def test_ctrl_c_keeps_the_samples_and_says_how_to_go_on(suite: str, tmp_path: Path) -> None:
    said = interrupted(words(suite, tmp_path, "--limit", "500", "--batch-size", "1"), tmp_path)
    assert "finished samples are kept. Continue with:" in said
    assert f"harness run --method test_entropy --task gsm8k --suite {suite} --limit 500" in said
    assert "Traceback" not in said
    assert len(find_runs(tmp_path)[0].done()) >= 2


@pytest.fixture(scope="module")
def store(suite: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with one finished run of three documents."""
    place = tmp_path_factory.mktemp("store")
    subprocess.run(words(suite, place, "--limit", "3"), capture_output=True, env=ENVIRONMENT, check=True)
    return place


def test_show_a_run_a_sample_and_its_replay(store: Path, capsys: Any) -> None:
    (folder,) = find_runs(store)
    code, out, _ = in_process(capsys, "show", folder.run_id[:6], "--out", str(store))
    assert code == 0
    assert "mini/gsm8k version" in out
    code, out, _ = in_process(capsys, "show", str(folder.path), "--sample", "1", "--trace")
    assert code == 0
    sample = list(folder.samples())[1]
    rows = re.findall(r"^ *(\d+) +(\d+)  \d+:", out, re.MULTILINE)
    assert [(int(step), int(count)) for step, count in rows] == [
        (step, sample["trace"].count(step)) for step in sorted(set(sample["trace"]))
    ]
    code, out, _ = in_process(capsys, "show", str(folder.path), "--sample", "1", "--json")
    assert json.loads(out) == sample
    code, _, said = in_process(capsys, "show", str(folder.path), "--sample", "7")
    assert (code, "has no document 7; it has 3 documents, 0 to 2" in said) == (2, True)
    code, _, said = in_process(capsys, "show", "zzz", "--out", str(store))
    assert (code, "No run 'zzz'" in said) == (2, True)


def test_ls_runs_filters_and_sorts(store: Path, capsys: Any) -> None:
    code, out, _ = in_process(capsys, "ls", "runs", "--out", str(store), "--json", "--sort", "-tpf")
    (row,) = json.loads(out)
    assert (code, row["method"], row["n_samples"], row["finished"]) == (0, "test_entropy", 3, True)
    assert json.loads(in_process(capsys, "ls", "runs", "--out", str(store), "--task", "math", "--json")[1]) == []
    assert json.loads(in_process(capsys, "ls", "runs", "--out", str(store), "--unfinished", "--json")[1]) == []
    code, _, said = in_process(capsys, "ls", "runs", "--out", str(store), "--sort", "speed")
    assert (code, "column to sort by" in said) == (2, True)


@pytest.mark.parametrize("kind", ["methods", "tasks", "suites"])
def test_ls_prints_one_json_document(kind: str, capsys: Any) -> None:
    code, out, _ = in_process(capsys, "ls", kind, "--json")
    assert code == 0
    assert json.loads(out)


def test_score_a_run_again(store: Path, capsys: Any) -> None:
    (folder,) = find_runs(store)
    code, out, _ = in_process(capsys, "score", folder.run_id, "--out", str(store), "--json")
    assert (code, json.loads(out)["changed"]) == (0, 0)
    code, _, said = in_process(capsys, "score")
    assert (code, "either a RUN to score again, or --gold" in said) == (2, True)


def test_verify_says_that_a_run_repeats(store: Path, capsys: Any) -> None:
    (folder,) = find_runs(store)
    code, out, _ = in_process(capsys, "run", "--verify", folder.run_id, "--out", str(store))
    assert (code, "3 samples of" in out) == (0, True)
    code, out, _ = in_process(capsys, "run", "--verify", folder.run_id, "--out", str(store), "--limit", "2")
    assert (code, "2 samples of" in out) == (0, True)


@pytest.mark.parametrize("option", [("--method", "nope"), ("--set", "x=1"), ("--seed", "0"), ("--fresh",)])
def test_verify_refuses_what_it_would_ignore(store: Path, capsys: Any, option: tuple[str, ...]) -> None:
    (folder,) = find_runs(store)
    code, _, said = in_process(capsys, "run", "--verify", folder.run_id, "--out", str(store), *option)
    assert (code, f"{option[0]} does not go with --verify" in said) == (2, True)


def test_a_smaller_limit_has_every_key_of_the_summary(store: Path, suite: str, capsys: Any) -> None:
    (folder,) = find_runs(store)
    code, out, _ = in_process(capsys, *words(suite, store, "--limit", "2", "--json")[3:])
    assert code == 0
    assert json.loads(out)["n_samples"] == 2
    assert set(json.loads(out)) >= set(folder.summary() or {})
    assert json.loads(out)["lm_eval"] is None


def test_decode_says_what_it_wrote_as_json(suite: str, tmp_path: Path, capsys: Any) -> None:
    (tmp_path / "p.jsonl").write_text('{"id": 1, "prompt_ids": [5, 6]}\n')
    options = ["--checkpoint", str(Path(suite).parent / "checkpoint"), "--decoder", "tad_speed", "--json"]
    options += ["--settings", '{"gen_length": 32}', "--prompts", str(tmp_path / "p.jsonl")]
    code, out, said = in_process(capsys, "decode", *options, "--out", str(tmp_path / "o.jsonl"))
    assert code == 0, said
    assert json.loads(out) == {"rows": 1, "out": str(tmp_path / "o.jsonl")}


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["run", "--task", "gsm8k"], 2, "needs --method and --task"),
        (["run", "--method", "nope", "--task", "gsm8k"], 2, "Unknown method 'nope'"),
        (["run", "--method", "test_entropy", "--task", "gsm8k", "--set", "threshold"], 2, "is not KEY=VALUE"),
        (["ls", "tasks", "--protocol", "minni"], 2, "Did you mean 'mini'?"),
        (["score", "--gold"], 2, "--gold needs --task T"),
    ],
)
def test_wrong_usage_is_one_sentence(arguments: list[str], code: int, said: str, suite: str, capsys: Any) -> None:
    suites = ["--suite", suite] if arguments[0] == "run" else []
    found, _, error = in_process(capsys, *arguments, *suites)
    assert found == code
    assert said in error
    assert "Traceback" not in error


def test_a_read_only_store_is_one_sentence(suite: str, capsys: Any) -> None:
    arguments = [
        "--method",
        "test_entropy",
        "--task",
        "gsm8k",
        "--suite",
        suite,
        "--limit",
        "2",
        "--out",
        "/sys/kernel/x",
    ]
    code, _, error = in_process(capsys, "run", *arguments)
    assert (code, "cannot be written" in error, "Traceback" in error) == (1, True, False)


def test_a_scorer_error_is_exit_code_one(
    suite: str, tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tasks import scoring

    original = scoring.score
    broken = iter([True])

    def breaks(*arguments: Any) -> Any:
        if next(broken, False):
            raise ZeroDivisionError("in the scorer")
        return original(*arguments)

    monkeypatch.setattr(scoring, "score", breaks)
    arguments = [
        "--method",
        "test_entropy",
        "--task",
        "gsm8k",
        "--suite",
        suite,
        "--limit",
        "2",
        "--out",
        str(tmp_path),
    ]
    code, out, error = in_process(capsys, "run", *arguments)
    assert code == 1
    assert "the scorer raised on 1 samples" in error
    assert "could not be scored" in out
    folder = RunFolder(find_runs(tmp_path)[0].path)
    assert sum("ZeroDivisionError" in sample.get("error", "") for sample in folder.samples()) == 1
