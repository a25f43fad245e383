"""`harness run` by two real processes: the files of one process, whatever happens to either of them."""

from __future__ import annotations

import json
import os
import re
import signal
from pathlib import Path
from typing import Any

import pytest

from harness.distributed import alone
from harness.errors import UserError
from harness.runner import RunSpec, execute
from harness.runner.rank_files import part_of, recover_parts
from harness.store import BusyError, RunFolder, find_runs
from tests.harness.ranks import PATIENCE, Ended, Ranks, verb
from tests.harness.verbs import in_process

TIMES = ("tps", "decode_seconds")


def words(suite: str, out: Path, *more: str) -> list[str]:
    """`harness run` on the tiny suite."""
    common = ["--method", "test_entropy", "--task", "gsm8k", "--suite", suite, "--out", str(out), "--batch-size", "2"]
    return ["run", *common, *more]


def content(out: Path) -> list[str]:
    """samples.jsonl of the only run in a store, without seconds."""
    (folder,) = find_runs(out)
    text = (folder.path / "samples.jsonl").read_text(encoding="utf-8")
    return re.sub(r'"seconds": [0-9.e-]+', '"seconds": 0', text).splitlines()


def summary(out: Path) -> dict[str, Any]:
    """Its summary without times."""
    (folder,) = find_runs(out)
    return {name: value for name, value in (folder.summary() or {}).items() if name not in TIMES}


@pytest.fixture(scope="module")
def whole(suite: str, models: Any, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The lines that one process leaves of the first 60 documents."""
    out = tmp_path_factory.mktemp("whole")
    (outcome,) = execute([RunSpec("test_entropy", "gsm8k", suite, limit=60, out=str(out))], model_cache=models)
    assert outcome.cause is None
    return content(out)


def together(tmp_path: Path, *arguments: str, work: Any = verb) -> list[Ended]:
    """The verb in two processes, to the end."""
    with Ranks(2, tmp_path / "ranks", work, *arguments) as ranks:
        return ranks.wait()


def test_two_processes_leave_the_files_of_one(suite: str, tmp_path: Path, capsys: Any) -> None:
    out = tmp_path / "two"
    first, second = together(tmp_path, *words(suite, out, "--limit", "7", "--json"))
    assert (first.code, second) == (0, Ended(0, "", "")), first.said
    assert json.loads(first.out)["new"] == 7
    assert in_process(capsys, *words(suite, tmp_path / "one", "--limit", "7"))[0] == 0
    assert content(out) == content(tmp_path / "one")
    assert summary(out) == summary(tmp_path / "one")
    (folder,) = find_runs(out)
    (session,) = folder.run()["sessions"]
    (other,) = session["ranks"]
    assert (other["rank"], other["device"], other["pid"] != session["pid"]) == (1, "cpu", True)
    assert not list(folder.path.glob(".rank*"))
    assert "Traceback" not in first.said


def test_they_continue_a_run_and_find_it_stored(suite: str, tmp_path: Path, whole: list[str], capsys: Any) -> None:
    out = tmp_path / "two"
    assert in_process(capsys, *words(suite, out, "--limit", "3"))[0] == 0
    first, second = together(tmp_path, *words(suite, out, "--limit", "9", "--json"))
    assert (json.loads(first.out)["new"], second.code) == (6, 0), first.said
    assert content(out) == whole[:9]
    first, second = together(tmp_path, *words(suite, out, "--limit", "5"))
    assert "stored earlier, nothing was decoded" in first.out
    assert second == Ended(0, "", "")


@pytest.mark.parametrize("victim", [0, 1])
def test_kill_9_of_either_loses_nothing(suite: str, tmp_path: Path, whole: list[str], capsys: Any, victim: int) -> None:
    out, limit = tmp_path / "two", ["--limit", "60", "--batch-size", "1"]
    with Ranks(2, tmp_path / "ranks", verb, *words(suite, out, *limit)) as ranks:
        ranks.until(lambda: sum(part.read_bytes().count(b"\n") for part in find_parts(out)) >= 5)
        os.kill(ranks.processes[victim].pid, signal.SIGKILL)
        ended = ranks.wait()
    stored = lines(out)
    assert ended[victim].code == -signal.SIGKILL
    assert len(stored) >= 5
    if victim == 1:
        assert (ended[0].code, ended[0].said.count("has died"), ended[0].out) == (1, 1, "")
        assert "Finished samples are kept" in ended[0].said
        assert "Traceback" not in ended[0].said
    else:
        assert (ended[1].out, ended[1].said) == ("", "")
    code, shown, _ = in_process(capsys, *words(suite, out, *limit, "--json"))
    assert (code, json.loads(shown)["new"]) == (0, 60 - len(stored))
    assert content(out) == whole
    assert not find_parts(out)


def find_parts(out: Path) -> list[Path]:
    """The samples of other ranks that are not in the run's own file, or not yet."""
    return list(out.rglob(".rank*/samples.jsonl"))


def lines(out: Path) -> set[int]:
    """The documents with a whole line anywhere in the store."""
    files = [*out.rglob("samples.jsonl")]
    text = [line for file in files for line in file.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")]
    return {json.loads(line)["doc_id"] for line in text}


def test_sigterm_of_a_launcher_is_one_sentence(suite: str, tmp_path: Path) -> None:
    out = tmp_path / "two"
    with Ranks(2, tmp_path / "ranks", verb, *words(suite, out, "--limit", "500", "--batch-size", "1")) as ranks:
        ranks.until(lambda: bool(find_parts(out)))
        for process in reversed(ranks.processes):  # the second is gone before the first takes in what it wrote
            os.kill(process.pid, signal.SIGTERM)
            process.join(PATIENCE)
        first, second = ranks.wait()
    assert (first.code, second.code) == (1, -signal.SIGTERM)
    assert "stopped by SIGTERM: another process of this run has died" in first.said
    assert "Traceback" not in first.said
    (folder,) = find_runs(out)
    assert folder.done() == lines(out), "the first process takes the others' lines in before it goes"


def starved(rank: int, *arguments: str) -> None:
    """The verb, but the second process has no memory for a single row after its second sample."""
    from harness.runner import decoding

    real = decoding._engine()

    def engine(backbone: Any, requests: Any, *, batch_size: int, **reuse: Any) -> Any:
        for count, result in enumerate(real(backbone, requests, batch_size=batch_size, **reuse)):
            if count == 2:
                raise MemoryError
            yield result

    if rank == 1:
        decoding._engine = lambda: engine
    verb(rank, *arguments)


def test_a_failure_in_one_process_is_said_once_by_the_first(suite: str, tmp_path: Path) -> None:
    out = tmp_path / "two"
    first, second = together(tmp_path, *words(suite, out, "--limit", "12", "--batch-size", "1"), work=starved)
    assert (first.code, second) == (1, Ended(0, "", ""))
    assert first.said.count("Process 1: Memory ran out with a single row") == 1
    assert "Traceback" not in first.said
    (folder,) = find_runs(out)
    assert {0, 2, 4, 6, 8, 10} < folder.done(), "all of the first process"
    assert len(folder.done()) == 8, "and what the second had"
    assert not folder.finished


def other_seed(rank: int, *arguments: str) -> None:
    """The verb, each process with a seed of its own."""
    verb(rank, *arguments, "--seed", str(rank))


@pytest.mark.parametrize(
    ("more", "work", "code", "sentence"),
    [
        (["--set", "treshold=1"], verb, 2, "Did you mean 'threshold'"),
        (["--set", "threshold"], verb, 2, "is not KEY=VALUE"),
        (["--checkpoint", "/no/such/folder"], verb, 1, "/no/such/folder"),
        ([], other_seed, 1, "Processes 0 and 1 would do two different runs: seed 0 and 1."),
    ],
)
def test_a_mistake_is_said_once(
    suite: str, tmp_path: Path, more: list[str], work: Any, code: int, sentence: str
) -> None:
    first, second = together(tmp_path, *words(suite, tmp_path / "two", "--limit", "4", *more), work=work)
    assert (first.code, first.said.count(sentence), first.out) == (code, 1, ""), first.said
    assert second == Ended(0, "", "")
    assert not (tmp_path / "two").exists()


def test_a_part_that_is_still_written_is_left_alone(suite: str, tmp_path: Path, capsys: Any) -> None:
    assert in_process(capsys, *words(suite, tmp_path, "--limit", "3"))[0] == 0
    (folder,) = find_runs(tmp_path)
    samples = list(folder.samples())
    with folder.open(folder.run()):
        folder.rewrite(samples[:1])
    part = part_of(folder, 1)
    with part.open(folder.run()):
        for sample in samples[:2]:
            part.append(sample)
        with RunFolder(folder.path).open(folder.run()) as mine, pytest.raises(BusyError, match=r"\.rank1 is being"):
            recover_parts(mine, wait=0.0)
    with RunFolder(folder.path).open(folder.run()) as mine:
        assert recover_parts(mine) == 1
        assert recover_parts(mine) == 0
    assert list(folder.samples()) == samples[:2]


def test_only_run_shares_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(UserError, match=r"only `harness run` shares .* --shard i/n"):
        alone()
