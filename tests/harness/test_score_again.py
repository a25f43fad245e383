"""`harness score` and the store's copies: summaries that come back, sessions that are kept, ids out of run.json."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.errors import UserError
from harness.runner import RunSpec, execute
from harness.runner.job import choose, prepare
from harness.runner.rescore import rescore
from harness.store import RunFolder, StoreError, find_runs, load_runs, merge
from harness.store.sessions import counted, united
from harness.verbs.ls import _run_row
from tests.harness.samples import make_run, make_sample

Spec = Callable[..., RunSpec]


def keep(folder: RunFolder, documents: set[int]) -> None:
    """Leave only some samples, and no summary: what a killed run is like."""
    with folder.open(folder.run()):
        folder.rewrite([sample for sample in folder.samples() if sample["doc_id"] in documents])
    (folder.path / "summary.json").unlink()


def numbers(folder: RunFolder) -> dict[str, Any]:
    """The summary without what lm-eval said."""
    return {name: value for name, value in (folder.summary() or {}).items() if name != "lm_eval"}


def test_a_missing_summary_comes_back(stored: RunFolder) -> None:
    before = numbers(stored)
    (stored.path / "summary.json").unlink()
    assert rescore(stored).finished
    assert numbers(stored) == before


def test_a_run_that_lacks_documents_gets_no_summary(stored: RunFolder) -> None:
    keep(stored, {0, 1, 3, 4})
    assert not rescore(stored).finished
    assert not stored.finished


def test_a_broken_summary_is_replaced(stored: RunFolder) -> None:
    before = numbers(stored)
    (stored.path / "summary.json").write_text('{"n_samp')
    rescore(stored)
    assert numbers(stored) == before


def test_without_samples_the_summary_stays(stored: RunFolder) -> None:
    before = stored.summary()
    (stored.path / "samples.jsonl").unlink()
    with pytest.raises(StoreError, match="has no samples to score"):
        rescore(stored)
    assert stored.summary() == before


def test_what_lm_eval_said_goes_when_it_is_no_longer_true(stored: RunFolder) -> None:
    summary = stored.summary()
    assert summary is not None
    rescore(stored)
    assert stored.summary() == summary
    stale = {**summary["lm_eval"], summary["metric"]: 0.987}
    (stored.path / "summary.json").write_text(json.dumps({**summary, "lm_eval": stale}))
    rescore(stored)
    assert (stored.summary() or {})["lm_eval"] is None


def test_two_halves_are_merged_with_their_sessions_and_scored(stored: RunFolder, tmp_path: Path) -> None:
    before, run = numbers(stored), stored.run()
    halves = []
    for name, documents in (("h1", {0, 2}), ("h2", {1, 3, 4})):
        half = RunFolder(shutil.copytree(stored.path, tmp_path / name / stored.run_id))
        keep(half, documents)
        session = {**run["sessions"][0], "host": name, "batch_size": len(documents)}
        del session["samples"]
        with half.open(run):
            half.update(sessions=[session])
        halves.append(half)
    merge([half.path for half in halves], tmp_path / "both")
    (both,) = find_runs(tmp_path / "both")
    assert [(one["host"], one["samples"]) for one in both.run()["sessions"]] == [("h1", 2), ("h2", 3)]
    assert not both.finished
    rescore(both)
    assert numbers(both) == {**before, "batch_size": None}


def test_a_killed_session_is_counted_when_the_next_one_starts(spec: Spec, models: Any) -> None:
    def stop(event: Any) -> None:
        if event.done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        execute([spec(limit=4, batch_size=1)], model_cache=models, progress=stop)
    (outcome,) = execute([spec(limit=4, batch_size=4)], model_cache=models)
    assert outcome.folder is not None
    assert outcome.summary is not None
    sessions = outcome.folder.run()["sessions"]
    assert [(one["samples"], one["batch_size"]) for one in sessions] == [(2, 1), (2, 4)]
    assert (outcome.summary["batch_size"], outcome.summary["device"]) == (None, "cpu")


def test_sessions_of_older_runs_stay_unknown() -> None:
    assert counted([{"pid": 1}, {"pid": 2}], 5) == [{"pid": 1}, {"pid": 2}]
    assert counted([{"samples": 3}, {}], 5) == [{"samples": 3}, {"samples": 2}]
    assert united([{"pid": 1, "samples": 2}], [{"pid": 1}, {"pid": 2}]) == [{"pid": 1, "samples": 2}, {"pid": 2}]


def test_unconfined_code_is_asked_for_when_scoring_again(
    spec: Spec, models: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tasks.sandbox import confine

    (outcome,) = execute([spec(task="humaneval", limit=1)], model_cache=models)
    assert outcome.folder is not None
    asked: list[bool] = []
    monkeypatch.setenv(confine.ALLOW, "")
    monkeypatch.setattr(confine, "choose", lambda name=None, allow_unconfined=False: asked.append(allow_unconfined))
    monkeypatch.setattr("harness.runner.rescore.scored", lambda loaded, doc, line: line)
    rescore(outcome.folder, unconfined=True)
    assert asked == [True]


@pytest.fixture
def named(tmp_path: Path) -> RunFolder:
    """A finished run of two documents, and beside it an unfinished copy that sorts before it."""
    run = make_run()
    with RunFolder(tmp_path / "store" / run["run_id"]).open(run) as folder:
        folder.append(make_sample(0))
    shutil.copytree(folder.path, folder.path.with_name("0-copy"))
    with folder.open(run):
        folder.append(make_sample(1))
        folder.finish({"n_samples": 2})
    return folder


def test_a_copied_run_counts_once_and_the_finished_one(named: RunFolder) -> None:
    runs, _, samples = load_runs(named.path.parent)
    assert list(runs["run_id"]) == [named.run_id]
    assert list(runs["path"]) == [str(named.path)]
    assert len(samples) == 2


def test_a_run_that_is_named_by_a_dot_keeps_its_id(named: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(named.path)
    assert RunFolder(".").run_id == named.run_id
    assert _run_row(find_runs(".")[0])["run"] == named.run_id
    assert merge(".", "dot") == (1, 2)
    assert [folder.path.name for folder in find_runs(named.path / "dot")] == [named.run_id]
    monkeypatch.chdir(named.path.with_name("0-copy"))
    assert merge(".", "dot") == (1, 1)
    assert [folder.path.name for folder in find_runs("dot")] == [named.run_id]


@pytest.mark.parametrize("kind", ["int8", "nf4"])
def test_quantised_weights_are_a_run_of_their_own(
    spec: Spec, models: Any, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    full = prepare(choose(spec()), models)
    monkeypatch.setattr(full.backbone, "packed", kind)
    packed = prepare(choose(spec()), models)
    assert (full.run["dtype"], packed.run["dtype"]) == ("float32", kind)
    assert full.run["run_id"] != packed.run["run_id"]
    assert RunSpec.of(packed.run).dtype == kind


def test_a_backbone_says_what_its_weights_are_packed_in(monkeypatch: pytest.MonkeyPatch, models: Any) -> None:
    from types import SimpleNamespace

    import torch
    from torch import nn

    from methods.backbones import Backbone, quantise
    from tests.harness.tiny import checkpoint

    def linear(inside: int, outside: int, bias: bool, **rest: Any) -> nn.Linear:
        return nn.Linear(inside, outside, bias, device="meta")

    from methods.backbones import load

    plain = load(checkpoint(), device="cpu")
    monkeypatch.setattr(quantise, "_library", lambda: SimpleNamespace(nn=SimpleNamespace(Linear4bit=linear)))
    quantise.swap(plain.model, "nf4", torch.float32)
    assert plain.packed is None
    assert Backbone(plain.config, plain.model, plain.special).packed == "nf4"


def older(stored: RunFolder, monkeypatch: pytest.MonkeyPatch, **changes: Any) -> None:
    """From now on the protocol of a stored run is one version newer; `changes` are what is new in it."""
    from tasks import protocols

    known = protocols.read(protocols.file_of(stored.run()["protocol"]))
    newer = dataclasses.replace(known, **{"version": known.version + 1, "prompts_since": known.version, **changes})
    monkeypatch.setattr(protocols, "get", lambda id: newer)


def test_a_run_of_an_older_protocol_version_is_scored_beside_it(
    stored: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {path.name: path.read_bytes() for path in stored.path.glob("*.json*")}
    older(stored, monkeypatch, extraction="strict-match")
    scored = rescore(stored)
    assert {path.name: path.read_bytes() for path in stored.path.glob("*.json*")} == before
    new = scored.folder.run()
    assert scored.folder.path.parent == stored.path.parent
    assert scored.folder.run_id == new["run_id"] != stored.run_id
    assert (new["rescored_from"], new["protocol_version"]) == (stored.run_id, stored.run()["protocol_version"] + 1)
    assert new["metric"] == scored.summary["metric"] == "exact_match,strict-match"
    assert [sample["correct"] for sample in scored.folder.samples()] == [s["strict"] for s in stored.samples()]
    assert (scored.finished, scored.recut) == (True, 0)
    assert rescore(stored).folder.run_id == scored.folder.run_id  # once more, into the same place


def test_other_stop_strings_cut_the_stored_outputs(stored: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    samples = list(stored.samples())
    stop = next(sample["text"][1] for sample in samples if len(sample["text"]) > 2)
    older(stored, monkeypatch, until=(stop,))
    scored = rescore(stored)
    assert scored.recut == sum(stop in sample["text"] for sample in samples) > 0
    for old, new in zip(samples, scored.folder.samples(), strict=True):
        assert new["text"] == old["text"].partition(stop)[0]
        assert new["tokens_compat"] == {}
    assert scored.summary["tokens"] < (stored.summary() or {})["tokens"]
    assert set(scored.summary["tpf_compat"].values()) == {None}


def test_texts_of_other_prompts_are_not_scored(stored: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    version = stored.run()["protocol_version"]
    older(stored, monkeypatch, prompts_since=version + 1)
    with pytest.raises(UserError, match="gave the model other prompts"):
        rescore(stored)
    older(stored, monkeypatch, prompts_since=1, version=version, gen_length=99)
    with pytest.raises(UserError, match="score it where it was run"):
        rescore(stored)
    older(stored, monkeypatch, user_suffix=" Think twice.")
    with pytest.raises(UserError, match="the prompt of document 0 is not the one"):
        rescore(stored)


def test_a_run_decoded_under_the_new_version_is_not_overwritten(
    stored: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    older(stored, monkeypatch, extraction="strict-match")
    there = rescore(stored).folder
    with there.open(there.run()):
        there.update(rescored_from=None)
    with pytest.raises(UserError, match="holds this run already"):
        rescore(stored)
