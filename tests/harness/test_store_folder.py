"""The run folder: append, tear, refuse, lock, migrate, disk full."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import UsageError
from harness.store import BusyError, RunFolder, StoreError, find_run, find_runs, merge, run_id, schema
from harness.store.identity import IDENTITY
from tests.harness.samples import make_run, make_sample


def open_run(tmp_path: Path, **changes: object) -> RunFolder:
    run = make_run(**changes)
    return RunFolder(tmp_path / "mini" / "tad_speed" / "gsm8k" / run["run_id"]).open(run)


def test_samples_come_back_as_they_were_appended(tmp_path: Path) -> None:
    samples = [make_sample(doc_id) for doc_id in (3, 0, 2)]
    with open_run(tmp_path) as folder:
        for sample in samples:
            folder.append(sample)
        assert list(folder.samples()) == samples
        assert folder.done() == {0, 2, 3}
        folder.sort()
        assert [sample["doc_id"] for sample in folder.samples()] == [0, 2, 3]
    assert not folder.finished


def test_light_reading_leaves_out_the_long_keys_only(tmp_path: Path) -> None:
    tricky = make_sample(0, text='he said ", "extracted": 1}', extracted='", "extracted": 2', prompt='\u2028\n"')
    with open_run(tmp_path) as folder:
        folder.append(tricky)
    (light,) = folder.samples(light=True)
    assert "prompt" not in light
    assert light == {name: tricky[name] for name in light}
    assert list(folder.samples()) == [tricky]


@settings(max_examples=60, deadline=None)
@given(cut=st.integers(1, 400), junk=st.binary(max_size=8).filter(lambda data: b"\n" not in data))
def test_a_torn_or_garbage_end_costs_one_line(tmp_path_factory: pytest.TempPathFactory, cut: int, junk: bytes) -> None:
    path = tmp_path_factory.mktemp("run")
    run = make_run()
    with RunFolder(path).open(run) as folder:
        for doc_id in range(3):
            folder.append(make_sample(doc_id))
    file = path / "samples.jsonl"
    whole = file.read_bytes()
    last = whole.splitlines(keepends=True)[-1]
    file.write_bytes(whole[: -min(cut, len(last) - 1)] + junk)
    before = [sample["doc_id"] for sample in RunFolder(path).samples()]
    assert before in ([0, 1], [0, 1, 2])
    with RunFolder(path).open(run) as folder:
        assert [sample["doc_id"] for sample in folder.samples()] == before
        for doc_id in {0, 1, 2} - set(before):
            folder.append(make_sample(doc_id))
    assert file.read_bytes() == whole


@pytest.mark.parametrize("garbage", [b"{not json}\n", b"\n", b"[1]\n", b"\x00\x00\n"])
def test_a_corrupt_line_in_the_middle_is_named_and_refused(tmp_path: Path, garbage: bytes) -> None:
    with open_run(tmp_path) as folder:
        folder.append(make_sample(0))
    file = folder.path / "samples.jsonl"
    whole = file.read_bytes() + garbage + json.dumps(make_sample(1)).encode() + b"\n"
    file.write_bytes(whole)
    for light in (True, False):
        with pytest.raises(StoreError, match=r"samples\.jsonl, line 2 is corrupt"):
            list(folder.samples(light=light))
    assert file.read_bytes() == whole


def test_a_document_that_is_stored_twice_is_refused(tmp_path: Path) -> None:
    with open_run(tmp_path) as folder:
        folder.append(make_sample(0))
        folder.append(make_sample(0))
    with pytest.raises(StoreError, match="line 2 repeats document 0"):
        list(folder.samples())


def test_the_summary_is_the_mark_of_a_finished_run(tmp_path: Path) -> None:
    with open_run(tmp_path) as folder:
        folder.append(make_sample(0))
        folder.finish({"n_samples": 1, "accuracy": 0.0, "tpf": 1.5})
    assert folder.summary() == {"n_samples": 1, "accuracy": 0.0, "tpf": 1.5}
    with open_run(tmp_path) as folder:
        assert folder.finished, "opening alone takes nothing away"
        folder.append(make_sample(1))
        assert not folder.finished


def test_a_second_writer_leaves_with_one_sentence(tmp_path: Path) -> None:
    with open_run(tmp_path) as folder, pytest.raises(BusyError, match="is being written by another process") as caught:
        RunFolder(folder.path).open(make_run(), wait=0.1)
    assert caught.value.exit_code == 1
    with open_run(tmp_path):
        pass


HOLD = """
import sys, time
from harness.store import RunFolder
from tests.harness.samples import make_run, make_sample
folder = RunFolder(sys.argv[1]).open(make_run())
folder.append(make_sample(0))
print("ready", flush=True)
time.sleep(float(sys.argv[2]))
"""


def hold(path: Path, seconds: float) -> subprocess.Popen[str]:
    """A real process that writes the run at `path` and keeps its lock."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(path), str(seconds)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def test_the_lock_holds_between_processes_and_dies_with_its_owner(tmp_path: Path) -> None:
    process = hold(tmp_path / "run", 60)
    try:
        with pytest.raises(BusyError, match="is being written"):
            RunFolder(tmp_path / "run").open(make_run(), wait=0.2)
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    with RunFolder(tmp_path / "run").open(make_run(), wait=0.2) as folder:
        assert folder.done() == {0}


def test_a_second_process_waits_for_a_short_write(tmp_path: Path) -> None:
    process = hold(tmp_path / "run", 0.5)
    with RunFolder(tmp_path / "run").open(make_run(), wait=20) as folder:
        folder.append(make_sample(1))
    process.wait()
    assert folder.done() == {0, 1}


FILL = """
import resource, sys
from harness.store import RunFolder, StoreError
from tests.harness.samples import make_run, make_sample
folder = RunFolder(sys.argv[1]).open(make_run())
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
try:
    for doc_id in range(100):
        folder.append(make_sample(doc_id))
except StoreError as error:
    print(doc_id, error)
folder.close()
"""


def test_disk_full_keeps_the_earlier_lines_and_continues_later(tmp_path: Path) -> None:
    limit = 10 * len(json.dumps(make_sample(0))) + 17
    words = [sys.executable, "-c", FILL, str(tmp_path / "run"), str(limit)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    failed, sentence = done.stdout.split(" ", 1)
    assert "samples.jsonl cannot be written: File too large" in sentence
    folder = RunFolder(tmp_path / "run")
    text = (folder.path / "samples.jsonl").read_text()
    assert text.endswith("\n")
    assert [sample["doc_id"] for sample in folder.samples()] == list(range(int(failed)))
    with folder.open(make_run()):
        for doc_id in range(int(failed), 100):
            folder.append(make_sample(doc_id))
    assert folder.done() == set(range(100))


@pytest.mark.skipif(not Path("/sys/kernel").is_dir(), reason="needs a place where nobody can write")
def test_an_unwritable_store_gives_one_sentence() -> None:
    with pytest.raises(StoreError, match=r"cannot be written: .*another place") as caught:
        RunFolder("/sys/kernel/runs/x").open(make_run())
    assert caught.value.exit_code == 1


def test_a_store_below_a_file_gives_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be written: Not a directory"):
        RunFolder(tmp_path / "file" / "run").open(make_run())


def test_a_clock_that_goes_backwards_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hours = iter(range(10_000, 0, -1))
    monkeypatch.setattr(time, "time", lambda: 3600.0 * next(hours))
    with open_run(tmp_path) as folder:
        folder.append(make_sample(0))
    os.utime(folder.path / "samples.jsonl", (4e9, 4e9))
    with open_run(tmp_path) as folder:
        folder.append(make_sample(1))
        folder.finish({})
    assert folder.done() == {0, 1}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"schema_version": 99}, "schema version 99, this harness reads up to"),
        ({"schema_version": None}, "has no schema_version"),
        ({"schema_version": -1}, "has no schema_version"),
    ],
)
def test_a_foreign_schema_is_refused_by_name(tmp_path: Path, changes: dict[str, object], words: str) -> None:
    with open_run(tmp_path) as folder:
        folder.append(make_sample(0))
    file = folder.path / "run.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))
    before = {path.name: path.read_bytes() for path in folder.path.iterdir() if path.name != ".lock"}
    for action in (folder.run, lambda: list(folder.samples()), lambda: open_run(tmp_path)):
        with pytest.raises(StoreError, match=words):
            action()
    assert before == {path.name: path.read_bytes() for path in folder.path.iterdir() if path.name != ".lock"}


def test_an_old_schema_is_migrated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_run(tmp_path) as folder:
        folder.append(make_sample(0))
    step = schema.Migration(run=lambda run: {**run, "new": 1}, sample=lambda sample: {**sample, "revisions": 7})
    monkeypatch.setitem(schema.MIGRATIONS, schema.SCHEMA_VERSION, step)
    for module in ("harness.store.schema", "harness.store.folder"):
        monkeypatch.setattr(f"{module}.SCHEMA_VERSION", 2)
    assert folder.run()["new"] == 1
    assert [sample["revisions"] for sample in folder.samples()] == [7]
    with open_run(tmp_path) as folder:
        folder.append(make_sample(1))
    stored = json.loads((folder.path / "run.json").read_text())
    assert (stored["schema_version"], stored["new"]) == (2, 1)
    assert [sample["revisions"] for sample in folder.samples()] == [7, 0]


def test_a_folder_of_another_run_is_refused(tmp_path: Path) -> None:
    with RunFolder(tmp_path / "run").open(make_run()):
        pass
    with pytest.raises(StoreError, match="belongs to the run"):
        RunFolder(tmp_path / "run").open(make_run(seed=5))


def test_fresh_sets_the_old_run_aside(tmp_path: Path) -> None:
    with open_run(tmp_path) as folder:
        folder.append(make_sample(0))
    assert folder.set_aside() == folder.path.with_name(folder.run_id + ".old-1")
    with open_run(tmp_path) as folder:
        assert folder.done() == set()
    assert folder.set_aside() == folder.path.with_name(folder.run_id + ".old-2")
    assert find_runs(tmp_path) == []


def test_every_part_of_the_identity_changes_the_run_id() -> None:
    run = make_run()
    for name in IDENTITY:
        assert run_id({**run, name: "other"}) != run["run_id"]
    assert run_id({**run, "started": "later", "sessions": []}) == run["run_id"]
    with pytest.raises(KeyError):
        run_id({name: run[name] for name in IDENTITY[1:]})


def test_a_run_is_found_by_path_id_and_unique_prefix(tmp_path: Path) -> None:
    ids = []
    for seed in range(40):
        with open_run(tmp_path, seed=seed) as folder:
            ids.append(folder.run_id)
    assert find_run(str(folder.path), tmp_path).run_id == ids[-1]
    assert find_run(ids[0], tmp_path).run_id == ids[0]
    assert find_run(ids[0][:10], tmp_path).run_id == ids[0]
    with pytest.raises(UsageError, match="40 runs fit ''"):
        find_run("", tmp_path)
    with pytest.raises(UsageError, match="No run 'zz'"):
        find_run("zz", tmp_path)


def test_merging_unites_halves_and_is_idempotent(tmp_path: Path) -> None:
    for place, docs in (("a", (0, 2)), ("b", (1, 2, 3))):
        with open_run(tmp_path / place) as folder:
            for doc_id in docs:
                folder.append(make_sample(doc_id, seconds=0.1 if place == "a" else 0.2))
    with open_run(tmp_path / "b", seed=1) as folder:
        folder.append(make_sample(0))
        folder.finish({"n_samples": 1})
    assert merge(tmp_path / "b", tmp_path / "a") == (1, 3)
    assert merge(tmp_path / "b", tmp_path / "a") == (0, 0)
    first, second = sorted(find_runs(tmp_path / "a"), key=lambda run: run.run()["seed"])
    assert [(s["doc_id"], s["seconds"]) for s in first.samples()] == [(0, 0.1), (1, 0.2), (2, 0.1), (3, 0.2)]
    assert second.summary() == {"n_samples": 1}


def test_merging_refuses_two_outcomes_of_one_document(tmp_path: Path) -> None:
    for place, text in (("a", "1"), ("b", "2")):
        with open_run(tmp_path / place) as folder:
            folder.append(make_sample(0, text=text))
    with pytest.raises(StoreError, match="disagree about document 0"):
        merge(tmp_path / "b", tmp_path / "a")
