"""Doing a stored run again: verify repeats it, score cuts and scores it anew, the adapter asks it through lm-eval."""

from __future__ import annotations

import json
import sys
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


def test_lm_eval_with_our_model_gives_the_numbers_of_harness_run(stored: RunFolder, suite: str, tmp_path: Path) -> None:
    from lm_eval.evaluator import simple_evaluate
    from lm_eval.tasks import TaskManager

    import harness.adapter  # noqa: F401
    from harness.lm_tasks import FOLDER

    out = tmp_path / "counts.jsonl"
    results = simple_evaluate(
        model="dllm",
        model_args=f"method=test_entropy,suite={suite},gen_length=16,out={out}",
        batch_size=3,
        device="cpu",
        tasks=["mini_gsm8k"],
        limit=5,
        task_manager=TaskManager(include_path=str(FOLDER), include_defaults=False),
    )
    assert results is not None
    samples = list(stored.samples())
    logged = [row for row in results["samples"]["mini_gsm8k"] if row["filter"] == "reader"]
    assert [row["resps"][0][0] for row in sorted(logged, key=lambda row: row["doc_id"])] == [s["text"] for s in samples]
    config, counts = results["config"], [json.loads(line) for line in out.read_text().splitlines()]
    assert config["tokens"] == sum(sample["tokens"] for sample in samples)
    assert config["forwards"] == sum(sample["forwards"]["denoise"] for sample in samples)
    by_doc = {line["doc_id"]: line for line in counts}
    assert [by_doc[s["doc_id"]]["trace"] for s in samples] == [s["trace"] for s in samples]


def test_the_adapter_refuses_bad_settings_before_it_loads_anything(suite: str) -> None:
    from harness.adapter import DllmLM

    with pytest.raises(Exception, match="Did you mean 'threshold'") as caught:
        DllmLM.create_from_arg_string(f"method=test_entropy,suite={suite},checkpoint=/nowhere,treshold=1", {})
    assert getattr(caught.value, "exit_code", None) == 2


@pytest.mark.parametrize(
    ("words", "said", "code"),
    [
        ("method=test_entropy,gen_length=abc", "gen_length=abc is not allowed", 2),
        ("method=test_entropy,mc_num=0", "mc_num=0 is not allowed", 2),
        ("method=test_entropy,seed=x", "seed=x is not allowed", 2),
        ("seed=1", "model_args needs method=NAME", 2),
        ("method=test_entropy,out=/nonexist/x", "out=/nonexist/x cannot be written", 1),
    ],
)
def test_bad_model_args_are_one_sentence(suite: str, words: str, said: str, code: int) -> None:
    from harness.adapter import DllmLM

    with pytest.raises(UserError, match=said) as caught:
        DllmLM.create_from_arg_string(f"{words},suite={suite},checkpoint=/nowhere", {})
    assert caught.value.exit_code == code


def test_a_new_evaluation_begins_its_file_of_counts_anew(suite: str, tmp_path: Path) -> None:
    from harness.adapter import DllmLM

    out = tmp_path / "counts.jsonl"
    for _ in range(2):
        model = DllmLM.create_from_arg_string(f"method=test_entropy,suite={suite},gen_length=8,out={out}", {})
        model.generate_until([generation("Question: 1")], disable_tqdm=True)
    assert len(out.read_text().splitlines()) == 1


def generation(prompt: str) -> Any:
    """What lm-eval asks of a model for one document."""
    from types import SimpleNamespace

    return SimpleNamespace(args=(prompt, {"until": []}), doc_id=0, task_name="gsm8k")


def test_a_chat_template_has_written_the_special_tokens_already(suite: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from harness.adapter import DllmLM

    model = DllmLM.create_from_arg_string(f"method=test_entropy,suite={suite},gen_length=8", {})
    asked: list[bool] = []
    monkeypatch.setattr(model.reader, "encode", lambda text, special=True: asked.append(special) or [5])
    model._prepare(generation("Question: 1"))
    monkeypatch.setattr(model.tokenizer, "chat_template", "{{ messages[0]['content'] }}")
    prompt = model.apply_chat_template([{"role": "user", "content": "Question: 1"}])
    model._prepare(generation(prompt))
    assert asked == [True, False]


def test_lm_evals_older_spelling_finds_our_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    from harness.lm_eval import main

    seen: list[list[str]] = []
    monkeypatch.setattr("lm_eval.__main__.cli_evaluate", lambda: seen.append(list(sys.argv)))
    monkeypatch.setattr(sys, "argv", ["lm_eval", "--model", "dllm", "--tasks", "mini_gsm8k"])
    main()
    assert seen[0][1:4] == ["run", "--model", "dllm"]
    assert "--include_path" in seen[0]


def test_the_adapter_has_likelihoods(suite: str) -> None:
    from types import SimpleNamespace

    from harness.adapter import DllmLM

    model = DllmLM.create_from_arg_string(f"method=test_entropy,suite={suite},mc_num=4", {"device": "cpu"})
    requests = [SimpleNamespace(args=("Question: 1", " 2")), SimpleNamespace(args=("", "x"))]
    found = model.loglikelihood(requests, disable_tqdm=True)
    assert found == model.loglikelihood(requests, disable_tqdm=True)
    assert all(value < 0 and greedy is False for value, greedy in found)


@pytest.mark.slow  # lm-eval reads its index of 14 000 tasks, twice
def test_lm_evals_own_command_line_knows_the_model(suite: str, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    from harness.lm_eval import main

    words = "run --model dllm --tasks mini_gsm8k --limit 2 --device cpu --batch_size 2 --model_args"
    monkeypatch.setattr(sys, "argv", ["lm_eval", *words.split(), f"method=test_entropy,suite={suite},gen_length=8"])
    main()
    assert "|mini_gsm8k|" in capsys.readouterr().out.replace(" ", "")
    monkeypatch.setattr(sys, "argv", ["lm_eval", *words.split(), f"method=no_such,suite={suite}"])
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 2
