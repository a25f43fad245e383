"""The lm-eval model `dllm`, and lm-eval's own options: each is obeyed, or refused with a sentence."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.errors import UsageError, UserError
from harness.store import RunFolder


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
        ("method=test_entropy,batch_size=many", "batch_size=many is not allowed", 2),
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


def test_a_new_evaluation_replaces_its_file_of_counts(suite: str, tmp_path: Path) -> None:
    from harness.adapter import DllmLM

    out = tmp_path / "counts.jsonl"
    for _ in range(2):
        model = DllmLM.create_from_arg_string(f"method=test_entropy,suite={suite},gen_length=8,out={out}", {})
        model.generate_until([generation("Question: 1")], disable_tqdm=True)
    assert len(out.read_text().splitlines()) == 1


def generation(prompt: str, **options: Any) -> Any:
    """What lm-eval asks of a model for one document."""
    return SimpleNamespace(args=(prompt, {"until": [], **options}), doc_id=0, task_name="gsm8k")


def prepare(model: Any, prompt: str) -> Any:
    """The engine's request that the model makes for a prompt."""
    one = generation(prompt)
    return model._prepare(one, model._asked(one))


def test_a_chat_template_has_written_the_special_tokens_already(suite: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from harness.adapter import DllmLM

    model = DllmLM.create_from_arg_string(f"method=test_entropy,suite={suite},gen_length=8", {})
    asked: list[bool] = []
    monkeypatch.setattr(model.reader, "encode", lambda text, special=True: asked.append(special) or [5])
    prepare(model, "Question: 1")
    monkeypatch.setattr(model.tokenizer, "chat_template", "{{ messages[0]['content'] }}")
    prompt = model.apply_chat_template([{"role": "user", "content": "Question: 1"}])
    prepare(model, prompt)
    assert asked == [True, False]


def test_the_adapter_has_likelihoods(suite: str) -> None:
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


@pytest.fixture
def model(suite: str) -> Any:
    """A small model of the method test_entropy (settings: threshold, block_size; it does not sample)."""
    from harness.adapter import DllmLM

    return DllmLM.create_from_arg_string(f"method=test_entropy,suite={suite},gen_length=8", {"device": "cpu"})


def test_generation_arguments_are_settings_and_the_users_win(model: Any) -> None:
    model.gen_length = None
    slow = prepare_with(model, threshold=0.0, max_gen_toks=24)
    assert (slow.decoder.values["threshold"], slow.gen_length) == (0.0, 24)
    assert model.get_model_info()["setting_by_task"]["gsm8k"]["threshold"] == 0.0
    model.overrides = {"threshold": 2.0}
    assert prepare_with(model, threshold=0.5, max_gen_toks=24).decoder.values["threshold"] == 2.0


def prepare_with(model: Any, **options: Any) -> Any:
    """The engine's request for a prompt with generation arguments."""
    one = generation("Question: 1", **options)
    return model._prepare(one, model._asked(one))


def test_the_two_ways_to_decode_make_the_same_request(model: Any, spec: Any, models: Any) -> None:
    """Seed, length, setting and prompt ids of `harness run` and of lm-eval's model, for the same document."""
    from harness.runner.job import choose, prepare
    from harness.runner.prompts import prompts, request

    job = prepare(choose(spec(seed=3, limit=5)), models)
    theirs = prompts(job, 5)[4]
    model.seed, model.gen_length = 3, None
    one = SimpleNamespace(args=(theirs.text, {"max_gen_toks": 16}), doc_id=4, task_name="gsm8k")
    ours, other = model._prepare(one, model._asked(one)), request(job, theirs)
    for name in ("prompt_ids", "gen_length", "seed"):
        assert getattr(ours, name) == getattr(other, name)
    assert ours.decoder.values == other.decoder.values


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"temperature": 0.7}, "temperature=0.7 is not obeyed by test_entropy"),
        ({"temperature": 0.7, "do_sample": False}, "contradict each other"),
        ({"do_sample": True}, "do_sample=True needs a temperature above 0"),
        ({"top_p": 0.9}, "top_p=0.9 is not obeyed by test_entropy"),
        ({"treshold": 1}, "Did you mean 'threshold'"),
        ({"threshold": -1}, "threshold is a number of at least 0"),
        ({"block_size": 7}, "block_size=7 does not divide"),
        ({"eos_policy": "keep"}, "Unknown eos_policy 'keep'"),
        ({"max_gen_toks": 0}, "max_gen_toks=0 is not allowed"),
    ],
)
def test_generation_arguments_that_cannot_be_obeyed_are_refused(
    model: Any, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(Exception, match=words) as caught:
        model.generate_until([generation("Question: 1", **options)], disable_tqdm=True)
    assert getattr(caught.value, "exit_code", None) == 2
    assert not model.telemetry, "nothing was decoded"


def test_generation_arguments_that_change_nothing_pass(model: Any) -> None:
    options = {"temperature": 0.0, "do_sample": False, "top_p": 1.0, "num_beams": 1, "top_k": None}
    assert len(model.generate_until([generation("Question: 1", **options)], disable_tqdm=True)) == 1


def test_a_method_that_samples_obeys_the_temperature() -> None:
    from harness.gen_kwargs import read
    from methods import registry

    method = registry.get("tad_speed")
    assert read({"temperature": 0.5, "do_sample": True}, method).settings == {"temperature": 0.5}
    assert read({"do_sample": True}, method, temperature=0.3).settings == {}
    with pytest.raises(UsageError, match="do_sample=True needs a temperature above 0"):
        read({"do_sample": True}, method, temperature=0.0)


def test_the_text_behind_an_eos_is_kept_where_the_task_says_so(model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    eos, ids = model.eot_token_id, model.reader.encode("ab", special=False)
    result = SimpleNamespace(output_ids=[ids[0], eos, *ids[1:]], stop_reason="eos", forwards={"denoise": 1}, nfe=1)
    steps = [1] * (len(ids) + 1)
    result.__dict__.update(positions=3, revisions=0, remasks=0, seconds=0.1, edits=[], reveal_step=steps)
    result.__dict__.update(commit_step=steps, forwards_run=1, positions_run=3)
    texts = {}
    for policy in ("cut", "strip"):
        one = generation("Question: 1", eos_policy=policy)
        asked = model._asked(one)
        model.telemetry.clear()
        texts[policy] = model._record(one, model._prepare(one, asked), asked, result)
    assert texts == {"cut": model.reader.decode(ids[:1]), "strip": model.reader.decode(ids)}


def test_the_answers_of_another_method_are_never_taken_from_a_cache(model: Any, tmp_path: Path) -> None:
    from lm_eval.api.model import CachingLM

    with pytest.raises(UsageError, match=r"--use_cache keeps texts without the forwards .* leave it out"):
        CachingLM(model, str(tmp_path / "cache.db"))


def options_of(*words: str) -> argparse.Namespace:
    """lm-eval's own reading of a command line."""
    from lm_eval._cli import HarnessCLI

    return HarnessCLI()._parser.parse_args(["run", "--model", "dllm", "--tasks", "mini_gsm8k", *words])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--use_cache", "x"], "--use_cache keeps texts"),
        (["-c", "x"], "--use_cache keeps texts"),
        (["--cache_requests"], "--cache_requests stores prompts"),
        (["--cache_requests", "refresh"], "--cache_requests stores prompts"),
        (["--config", "{file}"], "--use_cache keeps texts"),
        (["--config", "/no/such.yaml"], "--config /no/such.yaml"),
    ],
)
def test_lm_evals_caches_are_refused_before_anything_is_loaded(words: list[str], said: str, tmp_path: Path) -> None:
    from harness.lm_eval import prepare as check

    file = tmp_path / "config.yaml"
    file.write_text("model: dllm\nuse_cache: x\n")
    with pytest.raises(UsageError, match=said):
        check(options_of(*(word.format(file=file) for word in words)))


def test_another_model_keeps_its_caches() -> None:
    from harness.lm_eval import prepare as check

    arguments = options_of("--use_cache", "x", "--model", "hf")
    before = dict(vars(arguments))
    check(arguments)
    assert vars(arguments) == before


def test_lm_evals_seed_reaches_the_decoder() -> None:
    from harness.lm_eval import prepare as check

    arguments = options_of("--seed", "1,2,7,4", "--model_args", "method=vanilla")
    check(arguments)
    assert (arguments.model_args, arguments.device) == ({"method": "vanilla", "seed": 7}, "auto")
    arguments = options_of("--seed", "5", "--model_args", "method=vanilla,seed=1")
    check(arguments)
    assert arguments.model_args["seed"] == 1


def test_automatic_batch_sizes(suite: str) -> None:
    from harness.adapter import _batch_size

    assert (_batch_size("auto", None), _batch_size("auto:4", 3), _batch_size("2", None)) == (16, 3, 2)
    with pytest.raises(UsageError, match="batch_size=many is not allowed"):
        _batch_size("many", None)


def test_lm_evals_older_spelling_finds_our_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    from lm_eval._cli import HarnessCLI

    from harness.lm_eval import run

    seen: list[argparse.Namespace] = []
    monkeypatch.setattr(HarnessCLI, "execute", lambda self, arguments: seen.append(arguments))
    before = list(sys.argv)
    run(["--model", "dllm", "--tasks", "mini_gsm8k"])
    assert (seen[0].command, seen[0].model, sys.argv) == ("run", "dllm", before)
    assert seen[0].include_path.endswith("lm_tasks")


def test_git_prints_nothing_outside_a_repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    from harness.lm_eval import git_commit

    monkeypatch.chdir(tmp_path)
    assert git_commit() is None
    assert capfd.readouterr() == ("", "")
