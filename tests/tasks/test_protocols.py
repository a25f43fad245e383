"""Protocols: every file is valid, its first prompt is the stored one, and errors name file and field."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml

import tasks
from tasks import protocols
from tasks.data import Source
from tasks.errors import TasksUsageError

DATA = Path(__file__).parents[1] / "data"
SNAPSHOT = DATA / "prompts.json"


def chat(messages: list[dict[str, str]], add_generation_prompt: bool = True) -> str:
    """A visible chat template; as with lm-eval, an assistant's prefix is continued, not closed."""
    text = "".join(f"<|{m['role']}|>{m['content']}" + "<|end|>" * (m["role"] != "assistant") for m in messages)
    return text + "<|assistant|>" * add_generation_prompt


def first_prompt(name: str) -> dict[str, Any]:
    protocol = protocols.get(name)
    request = tasks.load(protocol, Source("folder", DATA / "rows")).requests(limit=1, chat_template=chat)[0]
    return {"digest": protocol.digest, "arguments": request.args[1], "prompt": request.args[0]}


def test_prompts_are_the_stored_ones() -> None:
    """A change here changes every number: raise the protocol's version, then rerun with UPDATE_PROMPTS=1."""
    found = {name: first_prompt(name) for name in protocols.ids()}
    if os.environ.get("UPDATE_PROMPTS"):
        SNAPSHOT.write_text(json.dumps(found, ensure_ascii=False, indent=1) + "\n")
    stored = json.loads(SNAPSHOT.read_text())
    assert sorted(found) == sorted(stored)
    for name, value in found.items():
        assert value == stored[name], name


def test_sets_and_tasks() -> None:
    fair = {f"{backbone}-fair" for backbone in ("llada", "dream", "dream_coder", "tiny_a2d")}
    others = {"llada-d3llm", "llada-tad", "dream-d3llm", "dream-tad", "dream_coder-d3llm"}
    assert set(protocols.sets()) == {"mini"} | fair | others
    assert tasks.names() == ["gsm8k", "long_gsm8k", "math", "humaneval", "mbpp", "humaneval_plus", "mbpp_plus"]
    for name in protocols.ids():
        protocol = protocols.get(name)
        assert protocol.source
        assert protocol.version >= 1
        assert protocol.id == name


def test_digests_differ_between_protocols_and_ignore_explanations() -> None:
    all_of_them = [protocols.get(name) for name in protocols.ids()]
    assert len({protocol.digest for protocol in all_of_them}) == len(all_of_them)
    one = protocols.get("mini/gsm8k")
    assert dataclasses.replace(one, notes="else", source="else", prompts_since=1).digest == one.digest
    assert dataclasses.replace(one, version=one.version + 1).digest != one.digest
    assert dataclasses.replace(one, gen_length=97).digest != one.digest


def test_humaneval_of_llada_keeps_the_text_after_an_eos() -> None:
    """d3LLM and TAD decode it with special tokens skipped; TAD cuts every other task at its EOT."""
    assert {protocols.get(f"llada-{paper}/humaneval").eos_policy for paper in ("d3llm", "tad")} == {"strip"}
    others = [name for name in protocols.ids() if name.startswith("llada-tad/") and not name.endswith("/humaneval")]
    assert {protocols.get(name).eos_policy for name in others} == {"cut"}


def test_fair_columns_fill_the_tail_for_every_row() -> None:
    """What an EOS does is a condition of the column; the papers' own sets leave it to each method."""
    policies = {name: protocols.get(name).eos_policy for name in protocols.ids()}
    fair = {name for name in policies if name.startswith("mini/") or "-fair/" in name}
    assert len(fair) == 22
    assert {policies[name] for name in fair} == {"fill_tail"}
    assert {policies[name] for name in policies if name not in fair} == {"cut", "strip"}


def test_a_protocol_that_says_nothing_is_fair(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(yaml.safe_dump({key: value for key, value in GOOD.items() if key != "eos_policy"}))
    assert protocols.read(file).eos_policy == "fill_tail"


def test_mini_prompts_are_those_the_models_were_trained_on() -> None:
    from tasks.mini import TASKS

    for name, mini in TASKS.items():
        stream = mini.stream("test")
        requests = tasks.load(protocols.get(f"mini/{name}"), Source("mini")).requests(limit=5)
        assert [request.args[0] for request in requests] == [next(stream).prompt for _ in requests]


def test_real_rows_go_through_the_mini_prompts() -> None:
    loaded = tasks.load(protocols.get("mini/gsm8k"), Source("folder", DATA / "rows"))
    assert loaded.requests(limit=1)[0].args[0].startswith("Question: Janet’s ducks lay 16 eggs")
    assert loaded.origin == {"kind": "folder", "path": str(DATA / "rows")}


def test_random_shots_are_the_same_in_every_call() -> None:
    loaded = tasks.load(protocols.get("llada-d3llm/long_gsm8k"), Source("folder", DATA / "rows"))
    first = [request.args[0] for request in loaded.requests()]
    assert first == [request.args[0] for request in loaded.requests()]
    assert first[:2] == [request.args[0] for request in loaded.requests(limit=2)]
    assert all(prompt.count("Question:") == 6 for prompt in first)


def test_a_chat_template_is_demanded() -> None:
    loaded = tasks.load(protocols.get("llada-fair/gsm8k"), Source("folder", DATA / "rows"))
    with pytest.raises(ValueError, match="chat template"):
        loaded.requests()


GOOD = yaml.safe_load(protocols.file_of("mini/gsm8k").read_text())
WRONG: list[tuple[dict[str, Any], str]] = [
    ({"version": 0}, "version is 0"),
    ({"gen_length": "long"}, 'gen_length is "long"'),
    ({"gen_lenght": 3}, "Did you mean 'gen_length'"),
    ({"until": ["", "x"]}, "until"),
    ({"until": "Question:"}, "until"),
    ({"metric": "bleu"}, 'metric is "bleu"'),
    ({"extraction": "sanitised"}, "exact_match goes with one of strict-match"),
    ({"eos_policy": "keep"}, "fill_tail, cut, strip"),
    ({"lm_eval_task": "gsm9k"}, "Did you mean 'gsm8k'"),
    ({"id": "mini/math"}, "it must be SET/gsm8k"),
    ({"user_wrapper": "no place"}, r"\{text\}"),
    ({"chat_template": 1}, "true or false"),
    ({"fewshot": "best"}, "first_n or random"),
    ({"source": None}, "source is null"),
    ({"prompts_since": GOOD["version"] + 1}, "prompts_since is 5, but it must be a version, from 1 to 4"),
    ({"rows": "mbpp+"}, 'rows is "mbpp\\+", but it must be one of gsm8k'),
]


@pytest.mark.parametrize(("change", "words"), WRONG)
def test_a_wrong_protocol_is_named_with_its_field(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(yaml.safe_dump({**GOOD, **change}))
    with pytest.raises(TasksUsageError, match=words) as caught:
        protocols.read(file)
    assert str(file) in str(caught.value)
    assert caught.value.exit_code == 2


def test_what_is_not_a_protocol(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    for text in ("[1", "- a list", ""):
        file.write_text(text)
        with pytest.raises(TasksUsageError, match=r"mine\.yaml"):
            protocols.read(file)
    file.write_text(yaml.safe_dump({key: value for key, value in GOOD.items() if key != "metric"}))
    with pytest.raises(TasksUsageError, match="'metric' is missing"):
        protocols.read(file)
    with pytest.raises(TasksUsageError, match="Did you mean 'mini/gsm8k'"):
        protocols.get("mini/gsm8")


def test_no_stop_string_of_a_chat_protocol_can_begin_an_answer() -> None:
    """An answer that repeats its question would be empty, and count no tokens."""
    for name in protocols.ids():
        protocol = protocols.get(name)
        if name.split("/")[0].endswith("-fair"):
            assert all(stop.startswith("\n\n") or stop == "[DONE]" for stop in protocol.until), name
            if protocol.chat_template and not protocol.num_fewshot:
                assert protocol.until == (), name
