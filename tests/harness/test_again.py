"""Doing a stored run again: verify repeats it, score cuts and scores it again."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.errors import UserError
from harness.runner import ModelCache, RunSpec
from harness.runner.job import choose, prepare
from harness.runner.rescore import rescore
from harness.runner.verify import verify
from harness.store import RunFolder, load_runs

Spec = Callable[..., RunSpec]


def edit(folder: RunFolder, doc_id: int, **changes: Any) -> None:
    """Change a stored line behind the harness's back."""
    samples = [{**sample, **(changes if sample["doc_id"] == doc_id else {})} for sample in folder.samples()]
    with folder.open(folder.run()):
        folder.rewrite(samples)


def test_a_run_repeats_token_for_token(stored: RunFolder) -> None:
    before = {path.name: path.read_bytes() for path in stored.path.iterdir()}
    report = verify(stored, batch_size=2)
    assert (report.compared, report.differing, report.first) == (5, 0, None)
    assert "came out the same, token for token" in report.sentences()[-1]
    assert before == {path.name: path.read_bytes() for path in stored.path.iterdir()}


def test_the_first_difference_is_named_with_its_margins(stored: RunFolder) -> None:
    sample = list(stored.samples())[2]
    ids = list(sample["output_ids"])
    place = sample["trace"].index(max(sample["trace"]))
    ids[place] = (ids[place] + 7) % 300
    edit(stored, 2, output_ids=ids)
    report = verify(stored)
    assert report.first is not None
    assert (report.differing, report.first.doc_id, report.first.position) == (1, 2, place)
    assert report.first.margins is not None
    assert report.first.margins[0] < 0 <= report.first.margins[1] + 1e-3, "the stored token was not the best one"
    assert f"output position {place}" in report.sentences()[-2]
    assert json.loads(json.dumps(report.as_dict()))["differing"] == 1


def test_differences_of_the_machine_come_first(stored: RunFolder) -> None:
    sessions = stored.run()["sessions"]
    sessions[-1]["packages"]["torch"] = "1.0"
    with stored.open(stored.run()):
        stored.update(sessions=sessions)
    said = verify(stored).sentences()
    assert any(line.startswith("packages.torch: stored 1.0, here ") for line in said[:-1])


def test_other_data_cannot_be_verified(stored: RunFolder) -> None:
    run = json.loads((stored.path / "run.json").read_text())
    (stored.path / "run.json").write_text(json.dumps({**run, "data_fingerprint": "else"}))
    with pytest.raises(UserError, match="data_fingerprint is else"):
        verify(stored)


def test_another_tokenizer_is_another_run(spec: Spec, tmp_path: Path) -> None:
    """Two ids change places: the same weights read other prompts."""
    from tests.harness.tiny import write_suite

    suite = str(write_suite(tmp_path / "suite"))
    files = tmp_path / "suite" / "checkpoint" / "tokenizer.json"
    first = prepare(choose(spec(suite=suite)), ModelCache()).run
    text = json.loads(files.read_text())
    vocabulary = text["model"]["vocab"]
    vocabulary["a"], vocabulary["b"] = vocabulary["b"], vocabulary["a"]
    files.write_text(json.dumps(text))
    second = prepare(choose(spec(suite=suite)), ModelCache()).run
    assert first["checkpoint_fingerprint"] == second["checkpoint_fingerprint"]
    assert first["tokenizer_fingerprint"] != second["tokenizer_fingerprint"]
    assert first["run_id"] != second["run_id"]


def test_a_run_that_does_not_say_its_tokenizer_is_still_a_run(stored: RunFolder) -> None:
    run = json.loads((stored.path / "run.json").read_text())
    del run["tokenizer_fingerprint"]
    (stored.path / "run.json").write_text(json.dumps(run))
    assert verify(stored).differing == 0
    rescore(stored)
    assert list(load_runs(stored.path, samples=False).runs["run_id"]) == [stored.run_id]


def test_scoring_again_mends_scores_and_counts(stored: RunFolder) -> None:
    summary = stored.summary()
    edit(stored, 1, outcome="correct", correct=1, tokens=99, text="nonsense")
    again = rescore(stored)
    assert again.changed == 1
    assert stored.summary() == summary == again.summary | {"lm_eval": summary["lm_eval"]} if summary else False
    assert rescore(stored).changed == 0


def test_scoring_again_needs_the_data_of_the_run(stored: RunFolder, tmp_path: Path) -> None:
    file = tmp_path / "other" / "gsm8k" / "test.jsonl"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps({"question": "1?", "answer": "#### 1"}))
    with pytest.raises(UserError, match="the data are not those of the run"):
        rescore(stored, data_dir=str(tmp_path / "other"))
