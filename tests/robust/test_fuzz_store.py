"""Mutated files of a run: every verb that reads a store works or says why not, and changes nothing."""

from __future__ import annotations

import json
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import harness
from harness.errors import UserError
from harness.metrics import summarise
from harness.store import RunFolder
from tests.backbones.mutations import mutated
from tests.harness.samples import make_run, make_sample
from tests.robust.fuzzing import EXAMPLES, content, sentence

FILES = ("run.json", "samples.jsonl", "summary.json")


@cache
def facts() -> dict[str, Any]:
    """What a stored run of mini/gsm8k must say for `harness score` to get as far as its samples."""
    import tasks
    from tasks import protocols
    from tasks.data import Source

    protocol = protocols.get("mini/gsm8k")
    loaded = tasks.load(protocol, Source("mini"))
    return {
        "protocol_version": protocol.version,
        "protocol_digest": protocol.digest,
        "data_fingerprint": loaded.fingerprint,
        "metric": f"{protocol.metric},{protocol.extraction}",
        "special": {"mask": 3, "eos": [1], "skip": [1, 3]},
        "suite_source": "mini",
        "adapter": None,
        "n_docs": len(loaded.docs),
        "sessions": [{"pid": 1, "host": "here", "limit": 3, "batch_size": 4, "device": "cpu", "command": ["harness"]}],
    }


def written(place: Path) -> Path:
    """A finished run of three documents in a store below `place`; returns its folder."""
    from harness.runner.prompts import prompt_hash

    run = make_run(**facts())
    lines = [make_sample(doc_id) for doc_id in range(3)]
    lines = [line | {"prompt_hash": prompt_hash(line["prompt"])} for line in lines]
    path = place / run["suite"] / run["method"] / run["task"] / run["run_id"]
    with RunFolder(path).open(run) as folder:
        for line in lines:
            folder.append(line)
        folder.finish(summarise(run, lines))
    return path


def damage(data: st.DataObject, file: Path) -> None:
    """One file of a run with one to three of its values changed, or with bytes changed."""
    text = file.read_text(encoding="utf-8")
    if data.draw(st.integers(0, 4)) == 0:
        at = data.draw(st.integers(0, len(text) - 1))
        raw = text.encode()
        file.write_bytes(raw[:at] + data.draw(st.binary(max_size=4)) + raw[at + data.draw(st.integers(0, 4)) :])
    elif file.suffix == ".jsonl":
        lines = text.splitlines()
        at = data.draw(st.integers(0, len(lines) - 1))
        lines[at] = json.dumps(data.draw(mutated(json.loads(lines[at]))))
        file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    else:
        file.write_text(json.dumps(data.draw(mutated(json.loads(text)))), encoding="utf-8")


@pytest.mark.parametrize("name", FILES)
@EXAMPLES
@given(data=st.data())
def test_reading_verbs(name: str, data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "runs"
        path = written(store)
        damage(data, path / name)
        before = content(Path(folder))
        sentence("ls", "runs", "--out", str(store))
        sentence("ls", "runs", "--out", str(store), "--json")
        sentence("show", str(path))
        sentence("show", str(path), "--sample", "1", "--trace")
        sentence("show", str(path), "--sample", "1", "--json")
        sentence("compare", str(path), str(path), "--draws", "100")
        loads(store)
        assert content(Path(folder)) == before


def loads(store: Path) -> bool:
    """Whether `load_runs` takes the store; what it raises otherwise is one sentence."""
    fault = ""
    try:
        harness.load_runs(store)
    except UserError as error:
        fault = str(error)
    assert not fault or fault.isprintable(), fault
    return bool(fault)


@pytest.mark.parametrize("name", FILES)
@EXAMPLES
@given(data=st.data())
def test_merge_writes_nothing_outside_its_target(name: str, data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "source", Path(folder) / "target" / "deep" / "runs"
        path = written(source)
        damage(data, path / name)
        before = content(Path(folder))
        sentence("merge", str(source), "--out", str(target))
        after = content(Path(folder))
        assert {file: raw for file, raw in after.items() if not file.startswith(str(target))} == before
        assert all(len(Path(file).relative_to(target).parts) == 5 for file in set(after) - set(before))


@pytest.mark.parametrize("name", FILES)
@EXAMPLES
@given(data=st.data())
def test_scoring_again(name: str, data: st.DataObject) -> None:
    """A refused `score` leaves the files as they were; a broken summary is what it mends."""
    with tempfile.TemporaryDirectory() as folder:
        path = written(Path(folder) / "runs")
        damage(data, path / name)
        before = content(Path(folder))
        code = sentence("score", str(path))
        if code:
            left = content(Path(folder))
            torn = str(path / "samples.jsonl")  # a torn last line is cut off as soon as a run is opened
            assert {k: v for k, v in left.items() if k != torn} == {k: v for k, v in before.items() if k != torn}
            assert before[torn].startswith(left[torn].rstrip(b"\n"))
        if name == "summary.json":
            assert code == 0
            assert RunFolder(path).summary()["n_samples"] == 3  # type: ignore[index]
