"""Suites are data: every value allowed by its method, every value with a source, bad files explained."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from harness.errors import UsageError, UserError
from harness.suites import FOLDER, load_suite, parse, suite_names
from methods import registry
from methods.backbones import published

LARGE = ["dream", "dream_coder", "llada", "tiny_a2d"]
# the scripts' own values: d3llm.md section 3, tad-and-baselines.md sections 3.1 and 6
EXACT = [
    ("llada", "d3llm", "gsm8k", {"threshold": 0.5, "block_add_threshold": 0.1, "decoded_token_threshold": 0.95}),
    ("llada", "d3llm", "humaneval", {"threshold": 0.5, "block_add_threshold": 1.0, "early_stop": False}),
    ("llada", "d3llm_cache", "gsm8k", {"threshold": 0.5, "refresh_interval": 3, "early_stop": True}),
    ("llada", "d3llm_cache", "mbpp", {"threshold": 0.4, "refresh_interval": 10000}),
    ("llada", "dparallel", "mbpp", {"threshold": 0.45}),
    ("llada", "d2f", "math", {"block_add_threshold": 0.1, "gen_length": 512}),
    ("llada", "tad_speed", "math", {"threshold": 0.5, "block_add_threshold": 0.5, "decoded_token_threshold": 0.5}),
    ("dream", "tad_quality", "mbpp", {"threshold": 0.4, "block_add_threshold": 0.1, "early_stop": False}),
    ("dream", "d3llm", "humaneval", {"threshold": 0.5, "temperature": 0.1, "early_stop": True}),
    ("dream", "d3llm_cache", "long_gsm8k", {"threshold": 0.45}),
    ("dream", "dparallel", "gsm8k", {"threshold": 0.45}),
    ("dream_coder", "d3llm_cache", "humaneval", {"threshold": 0.5, "gen_length": 512, "early_stop": True}),
]


def test_the_suites_ship() -> None:
    assert set(LARGE) <= set(suite_names())


@pytest.mark.parametrize("name", LARGE)
def test_every_value_is_one_its_method_takes(name: str) -> None:
    suite = load_suite(name)
    written = yaml.safe_load((FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))["settings"]
    known = registry.all_methods()
    assert set(suite.methods) <= set(known)
    for method in suite.methods:
        for task in suite.tasks:
            values = suite.settings(method, task)
            length = values.pop("gen_length", 256)
            assert isinstance(length, int)
            known[method].settings(values)
            blocks = written[method]
            assert blocks.get(task, {}).get("source") or blocks["all"]["source"], "every value has its source"


@pytest.mark.parametrize("name", LARGE)
def test_every_method_has_a_checkpoint_or_a_reason(name: str) -> None:
    suite = load_suite(name)
    for method in registry.all_methods().values():
        assert (method.checkpoint in suite.checkpoints) or suite.unpublished.get(method.checkpoint)
    for ref in suite.checkpoints.values():
        assert ref.source.startswith("hub:")
        assert published.find(ref.source) is not None


@pytest.mark.parametrize("name", LARGE)
def test_every_protocol_exists(name: str) -> None:
    from tasks import protocols

    suite = load_suite(name)
    for task in suite.tasks:
        assert protocols.get(suite.protocol(task)).task == task


@pytest.mark.parametrize(("suite", "method", "task", "want"), EXACT)
def test_the_references_own_values(suite: str, method: str, task: str, want: dict) -> None:
    values = load_suite(suite).settings(method, task)
    assert {key: values[key] for key in want} == want
    assert "source" not in values


def test_a_checkpoint_nobody_published_says_so() -> None:
    suite = load_suite("llada")
    with pytest.raises(
        UsageError, match=r"no checkpoint for tad_speed: The TAD repository names no hub id.*--checkpoint"
    ):
        suite.checkpoint("tad_speed")
    with pytest.raises(UsageError, match="Did you mean 'base'"):
        suite.checkpoint("bas")
    assert suite.checkpoint("d2f").adapter == "hub:SJTU-Deng-Lab/D2F_LLaDA_Instruct_8B_Lora"
    assert suite.settings("unheard_of", "gsm8k") == {}


def test_unknown_names() -> None:
    with pytest.raises(UsageError, match="Did you mean 'llada'"):
        load_suite("lladda")
    with pytest.raises(UsageError, match="Did you mean 'gsm8k'"):
        load_suite("llada").protocol("gsm8")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"arch": "gpt"}, "arch gpt is not one of"),
        ({"context": "long"}, "context long is not"),
        ({"data": "web"}, "data web is not one of"),
        ({"protocols": None}, "the key 'protocols' is missing"),
        ({"setings": {}}, "Did you mean 'settings'"),
        ({"checkpoints": {"base": {"path": "x"}}}, "checkpoints.base"),
        ({"settings": {"d3llm": {"all": 3}}}, "settings.d3llm"),
        ({"settings": [1]}, "settings should be a mapping"),
    ],
)
def test_a_suite_file_of_ones_own(change: dict, words: str, tmp_path: Path) -> None:
    value = yaml.safe_load((FOLDER / "llada.yaml").read_text()) | change
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(value))
    with pytest.raises(UserError, match=words) as caught:
        load_suite(str(path))
    assert str(path) in str(caught.value)


def test_broken_yaml(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("name: [")
    with pytest.raises(UserError, match="not valid YAML"):
        parse(path)
    path.write_text("just text")
    with pytest.raises(UserError, match="should hold a mapping"):
        parse(path)
