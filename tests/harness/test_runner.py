"""The runner: one decode for several specs, continue, limits, faults of one sample, memory, bad input."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.runner import Event, Outcome, RunSpec, execute
from harness.runner import execute as runner
from harness.store import RunFolder, find_runs, load_runs

Spec = Callable[..., RunSpec]


def run(*specs: RunSpec, models: Any, progress: Any = None) -> list[Outcome]:
    """Execute specs that must not fail."""
    outcomes = execute(specs, model_cache=models, progress=progress)
    for outcome in outcomes:
        if outcome.cause is not None:
            raise outcome.cause
    return outcomes


def lines(outcome: Outcome) -> list[str]:
    """The lines of samples.jsonl without their seconds."""
    assert outcome.folder is not None
    text = (outcome.folder.path / "samples.jsonl").read_text(encoding="utf-8")
    return re.sub(r'"seconds": [0-9.e-]+', '"seconds": 0', text).splitlines()


def folder_of(outcome: Outcome) -> RunFolder:
    assert outcome.folder is not None
    return outcome.folder


def summary_of(outcome: Outcome) -> dict[str, Any]:
    assert outcome.summary is not None
    return outcome.summary


def test_a_run_leaves_the_three_files_and_their_numbers_agree(spec: Spec, models: Any) -> None:
    (outcome,) = run(spec(), models=models)
    samples = list(folder_of(outcome).samples())
    summary = summary_of(outcome)
    assert (outcome.state, outcome.new, len(samples)) == ("done", 6, 6)
    assert {path.name for path in folder_of(outcome).path.iterdir()} >= {"run.json", "samples.jsonl", "summary.json"}
    assert summary["tokens"] == sum(sample["tokens"] for sample in samples)
    assert summary["forwards"] == sum(sample["forwards"]["denoise"] for sample in samples)
    assert summary["tpf"] == summary["tokens"] / summary["forwards"]
    assert summary["accuracy"] == pytest.approx(100 * summary["lm_eval"][summary["metric"]])
    for sample in samples:
        assert "".join(sample["pieces"]).startswith(sample["text"][:1])
        assert max(sample["trace"]) == sample["forwards"]["denoise"] == sample["nfe"]
        assert len(sample["trace"]) == len(sample["output_ids"]) == len(sample["pieces"]) == 16


def test_the_same_command_again_shows_the_stored_run(spec: Spec, models: Any) -> None:
    (first,) = run(spec(), models=models)
    before = {path.name: path.stat().st_mtime_ns for path in folder_of(first).path.iterdir()}
    (second,) = run(spec(), models=models)
    assert (second.state, second.new, second.summary) == ("stored", 0, first.summary)
    assert before == {path.name: path.stat().st_mtime_ns for path in folder_of(first).path.iterdir()}


def test_samples_do_not_depend_on_batch_size_order_or_company(spec: Spec, models: Any, tmp_path: Path) -> None:
    alone = [run(spec(batch_size=size, out=str(tmp_path / str(size))), models=models)[0] for size in (1, 3, 16)]
    together = run(
        spec(out=str(tmp_path / "all")),
        spec(out=str(tmp_path / "all"), settings={"threshold": 0.0}),
        spec(out=str(tmp_path / "all"), method="test_other"),
        models=models,
    )
    assert lines(alone[0]) == lines(alone[1]) == lines(alone[2]) == lines(together[0])
    assert summary_of(together[1])["tpf"] == 1.0, "entropy threshold 0 is one token per forward"
    ids = [outcome.run_id for outcome in together]
    assert len(set(ids)) == 3


def test_a_larger_limit_continues_a_smaller_one(spec: Spec, models: Any, tmp_path: Path) -> None:
    run(spec(limit=3), models=models)
    (larger,) = run(spec(limit=8), models=models)
    (whole,) = run(spec(limit=8, out=str(tmp_path / "whole")), models=models)
    assert (larger.new, summary_of(larger)["n_samples"]) == (5, 8)
    assert lines(larger) == lines(whole)
    (smaller,) = run(spec(limit=3), models=models)
    assert (smaller.state, summary_of(smaller)["n_samples"]) == ("stored", 3)
    stored = folder_of(smaller).summary()
    assert stored is not None
    assert stored["n_samples"] == 8, "the file keeps describing everything that is stored"


def test_an_interrupted_run_continues_to_the_same_file(spec: Spec, models: Any, tmp_path: Path) -> None:
    def stop(event: Event) -> None:
        if event.done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        execute([spec(limit=9)], model_cache=models, progress=stop)
    (folder,) = find_runs(tmp_path / "runs")
    assert (len(folder.done()), folder.finished) == (4, False)
    (continued,) = run(spec(limit=9), models=models)
    (whole,) = run(spec(limit=9, out=str(tmp_path / "whole")), models=models)
    assert continued.new == 5
    assert lines(continued) == lines(whole)
    assert len(folder.run()["sessions"]) == 2


def test_what_lies_beyond_the_limit_does_not_count(spec: Spec, models: Any, tmp_path: Path) -> None:
    def stop(event: Event) -> None:
        if event.done == 7:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        execute([spec(limit=60, batch_size=8)], model_cache=models, progress=stop)
    (small,) = run(spec(limit=4), models=models)
    assert summary_of(small)["n_samples"] >= 4
    stored = load_runs(tmp_path / "runs")
    assert len(stored.samples) == stored.points["n_samples"].item()
    assert set(stored.samples["doc_id"]) == set(range(len(stored.samples)))


def test_fresh_starts_anew_and_keeps_the_old_run(spec: Spec, models: Any) -> None:
    (first,) = run(spec(), models=models)
    (second,) = run(spec(fresh=True), models=models)
    assert (second.new, second.run_id) == (6, first.run_id)
    aside = folder_of(first).path.with_name(f"{first.run_id}.old-1")
    assert RunFolder(aside).done() == set(range(6))


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Documents whose scorer raises, for as long as they are in the list."""
    from tasks import scoring

    original, documents = scoring.score, [2]

    def score(loaded: Any, doc: Any, text: str) -> Any:
        if any(doc["question"] == loaded.docs[place]["question"] for place in documents):
            raise RuntimeError("this scorer is broken")
        return original(loaded, doc, text)

    monkeypatch.setattr(scoring, "score", score)
    return documents


def test_a_scorer_that_raises_costs_one_sample(spec: Spec, models: Any, broken: list[int]) -> None:
    (outcome,) = run(spec(), models=models)
    samples, summary = list(folder_of(outcome).samples()), summary_of(outcome)
    assert (outcome.errors, outcome.state) == (1, "done")
    assert samples[2]["outcome"] == "error"
    assert "this scorer is broken" in samples[2]["error"]
    assert samples[2]["correct"] == 0
    assert summary["outcomes"]["error"] == 1
    right = sum(sample["correct"] for sample in samples)
    assert (summary["n_samples"], summary["accuracy"]) == (6, pytest.approx(100 * right / 5)), "five have a score"
    assert summary["accuracy"] == pytest.approx(100 * summary["lm_eval"][summary["metric"]])


def test_the_next_run_scores_such_a_sample_and_decodes_nothing(
    spec: Spec, models: Any, broken: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from harness.runner import decoding

    (first,) = run(spec(), models=models)
    broken.clear()
    (whole,) = run(spec(out=str(tmp_path / "whole")), models=models)
    monkeypatch.setattr(decoding, "_engine", lambda: lambda *arguments, **options: pytest.fail("decoded again"))
    notes: list[str] = []
    (second,) = run(spec(), models=models, progress=lambda event: notes.append(event.note))
    assert (second.state, second.new, second.errors, second.run_id) == ("done", 0, 0, first.run_id)
    assert lines(second) == lines(whole)
    assert "1 samples whose scorer had raised were scored again" in notes
    same = ("accuracy", "accuracy_ci95", "outcomes", "tokens", "forwards", "lm_eval")
    assert {name: summary_of(second)[name] for name in same} == {name: summary_of(whole)[name] for name in same}


def test_a_scorer_that_raises_again_changes_nothing(spec: Spec, models: Any, broken: list[int]) -> None:
    (first,) = run(spec(), models=models)
    names = ("run.json", "samples.jsonl", "summary.json")
    before = [(folder_of(first).path / name).read_bytes() for name in names]
    (second,) = run(spec(), models=models)
    assert (second.state, second.new, second.errors) == ("stored", 0, 1)
    assert before == [(folder_of(first).path / name).read_bytes() for name in names]
    broken.append(4)
    (larger,) = run(spec(limit=8), models=models)
    assert (larger.state, larger.new, larger.errors) == ("done", 2, 1), "document 4 keeps the score it had"


def test_samples_without_a_score_are_named_and_kept_out_of_reports(
    spec: Spec, models: Any, broken: list[int], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from reports.runs import read_runs

    monkeypatch.delenv("COLUMNS", raising=False)  # a narrow table leaves the number of samples out

    (outcome,) = run(spec(), models=models)
    out = folder_of(outcome).path.parents[3]
    kept, findings = read_runs([out])
    assert not kept
    assert [finding.check for finding in findings] == ["unscored-samples"]
    assert "1 of 6 samples have no score" in findings[0].text
    from harness.verbs.ls import runs

    runs([str(out)], None, None, None, None, "path", "table", False)
    assert "6 (1 not" in capsys.readouterr().out


def test_a_prompt_that_does_not_fit_is_recorded_and_counts_as_wrong(spec: Spec, models: Any, tmp_path: Path) -> None:
    from tests.harness.tiny import write_suite

    (full,) = run(spec(), models=models)
    sizes = [sample["prompt_tokens"] for sample in folder_of(full).samples()]
    small = str(write_suite(tmp_path / "small", context=sorted(sizes)[2] + 16))
    (outcome,) = run(spec(suite=small), models=models)
    samples = list(folder_of(outcome).samples())
    cut = [sample["doc_id"] for sample in samples if sample["truncated"]]
    assert cut == [doc_id for doc_id, size in enumerate(sizes) if size > sorted(sizes)[2]]
    assert all(samples[doc_id]["outcome"] == "truncated" for doc_id in cut)
    assert all(samples[doc_id]["tokens"] == 0 == samples[doc_id]["correct"] for doc_id in cut)
    summary = summary_of(outcome)
    assert (summary["truncated"], summary["n_samples"], summary["empty_outputs"]) == (len(cut), 6, 0)


def test_out_of_memory_halves_the_batch_and_gives_the_same_tokens(
    spec: Spec, models: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from harness.runner import decoding

    (whole,) = run(spec(limit=9), models=models)
    real, sizes, notes = decoding._engine(), [], []

    def starved(backbone: Any, requests: Any, *, batch_size: int, **reuse: Any) -> Iterator[Any]:
        sizes.append(batch_size)
        for count, result in enumerate(real(backbone, requests, batch_size=batch_size, **reuse)):
            if batch_size > 2 and count == 2:
                raise RuntimeError("CUDA out of memory. Tried to allocate 20.00 MiB")
            yield result

    monkeypatch.setattr(decoding, "_engine", lambda: starved)
    starving = spec(limit=9, batch_size=8, out=str(tmp_path / "oom"))
    (outcome,) = run(starving, models=models, progress=lambda event: notes.append(event.note))
    assert sizes == [8, 4, 2]
    assert lines(outcome) == lines(whole)
    assert "out of memory at batch size 8, going on with 4" in notes
    session = folder_of(outcome).run()["sessions"][-1]
    assert session["out_of_memory"] == [{"from": 8, "to": 4}, {"from": 4, "to": 2}]
    assert summary_of(outcome)["batch_size"] == 2


def test_out_of_memory_with_one_row_is_a_sentence(spec: Spec, models: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from harness.runner import decoding

    def starved(backbone: Any, requests: Any, *, batch_size: int, **reuse: Any) -> Iterator[Any]:
        raise MemoryError
        yield

    monkeypatch.setattr(decoding, "_engine", lambda: starved)
    (outcome,) = execute([spec(batch_size=2)], model_cache=models)
    assert outcome.state == "failed"
    assert outcome.error.startswith("Memory ran out with a single row")


def test_one_failing_spec_does_not_stop_the_others(spec: Spec, models: Any) -> None:
    bad = [spec(method="no_such"), spec(settings={"threshold": "x"}), spec(checkpoint="/nowhere")]
    outcomes = execute([bad[0], spec(), *bad[1:]], model_cache=models)
    assert [outcome.state for outcome in outcomes] == ["failed", "done", "failed", "failed"]
    assert "Did you mean" in outcomes[0].error or "Known:" in outcomes[0].error


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        ({"method": "test_entrop"}, 2, "Did you mean 'test_entropy'?"),
        ({"task": "gsm9k"}, 2, "Did you mean 'gsm8k'?"),
        ({"suite": "lladaa"}, 2, "Did you mean 'llada'?"),
        ({"settings": {"treshold": "1"}}, 2, "Did you mean 'threshold'?"),
        ({"settings": {"threshold": "-1"}}, 2, "threshold is a number of at least 0"),
        ({"settings": {"threshold": "wide"}}, 2, "threshold is a number of at least 0"),
        ({"settings": {"block_size": "7"}}, 2, "block_size=7 does not divide"),
        ({"settings": {"gen_length": "0"}}, 2, "gen_length is an integer of at least 1"),
        ({"settings": {"gen_length": "512"}}, 2, "leaves no space for a prompt"),
        ({"batch_size": 0}, 2, "--batch-size 0"),
        ({"limit": 0}, 2, "--limit 0"),
        ({"protocol": "llada-fairr"}, 2, "Did you mean 'llada-fair'?"),
        ({"checkpoint": "/usr/share"}, 1, "/usr/share"),
        ({"checkpoint": "/no/such/folder"}, 1, "/no/such/folder"),
        ({"data_dir": "/no/such/folder"}, 2, "/no/such/folder/gsm8k/test.jsonl"),
    ],
)
def test_bad_input_is_one_sentence_and_touches_nothing(
    spec: Spec, models: Any, tmp_path: Path, changes: dict[str, Any], code: int, words: str
) -> None:
    (outcome,) = execute([spec(**changes)], model_cache=models)
    assert outcome.state == "failed"
    assert getattr(outcome.cause, "exit_code", None) == code, outcome.error
    assert words in outcome.error
    assert "\n" not in outcome.error.strip()
    assert not (tmp_path / "runs").exists()


def test_broken_data_name_file_and_line(spec: Spec, models: Any, tmp_path: Path) -> None:
    rows = [{"question": "1 + 1?", "answer": "2 #### 2"}, {"question": "2 + 2?"}]
    file = tmp_path / "data" / "gsm8k" / "test.jsonl"
    file.parent.mkdir(parents=True)
    for text, words in [
        ("\n".join(map(json.dumps, rows)), "test.jsonl line 2: the field 'answer' is missing"),
        (json.dumps(rows[0]) + "\n{torn", "test.jsonl line 2"),
    ]:
        file.write_text(text)
        (outcome,) = execute([spec(data_dir=str(tmp_path / "data"))], model_cache=models)
        assert getattr(outcome.cause, "exit_code", None) == 1
        assert words in outcome.error
    assert not (tmp_path / "runs").exists()


def test_a_data_folder_is_recorded(spec: Spec, models: Any, tmp_path: Path) -> None:
    file = tmp_path / "data" / "gsm8k" / "test.jsonl"
    file.parent.mkdir(parents=True)
    rows = [{"question": f"{n} + {n}?", "answer": f"#### {2 * n}"} for n in range(3)]
    file.write_text("\n".join(map(json.dumps, rows)))
    (outcome,) = run(spec(data_dir=str(tmp_path / "data")), models=models)
    assert summary_of(outcome)["n_samples"] == 3
    assert folder_of(outcome).run()["data"] == {"kind": "folder", "path": str(tmp_path / "data")}


def test_two_specs_that_are_the_same_run_do_not_collide(spec: Spec, models: Any) -> None:
    first, second = execute([spec(), spec(settings={"threshold": "3.0"})], model_cache=models)
    assert first.state == "done"
    assert second.state == "failed"
    assert "asked for twice" in second.error


def test_the_continuing_command_is_a_command(spec: Spec) -> None:
    made = spec(settings={"threshold": 0.5, "note": "a b"}, seed=3, data_dir="a dir", unconfined=True)
    text = made.command()
    assert "--data-dir 'a dir'" in text
    assert "--set threshold=0.5 --set 'note=a b'" in text
    assert text.endswith("--allow-unconfined-code")


def test_events_count_up_to_the_total(spec: Spec, models: Any) -> None:
    events: list[Event] = []
    run(spec(), models=models, progress=events.append)
    assert [event.done for event in events] == list(range(7))
    assert all(event.total == 6 for event in events)
    assert replace(events[-1], note="") == events[-1]
    assert runner is execute
