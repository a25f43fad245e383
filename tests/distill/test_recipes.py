"""Recipes: they load, hold the papers' numbers, and refuse what they do not know."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from methods.distill import recipe
from methods.distill.recipe_fields import CHOICES
from methods.errors import MethodsError, MethodsUsageError

ALL = [
    (name, variant)
    for name in recipe.names()
    for variant in yaml.safe_load((recipe.FOLDER / f"{name}.yaml").read_text())["variants"]
]


@pytest.mark.parametrize(("name", "variant"), ALL)
def test_every_variant_loads(name: str, variant: str) -> None:
    loaded = recipe.load(name, variant)
    assert loaded.title
    assert loaded.source.startswith("arXiv:")
    assert loaded.with_values(loaded.values()) == loaded


def test_there_is_a_recipe_for_every_distilled_row_with_a_mini_variant() -> None:
    assert recipe.names() == ["d2f", "d3llm", "dparallel", "fast_dllm_v2", "tad_quality", "tad_speed"]
    for name in recipe.names():
        assert recipe.load(name, "mini").common.gen_length == 64


def test_the_papers_numbers() -> None:
    llada = recipe.load("d3llm", "llada")
    assert llada.common.rank == 256
    assert llada.common.batch == 64
    assert llada.settings.blocks == (16, 16, 24, 24, 32, 32)
    assert llada.settings.entropy_weight == 2.0
    assert not llada.settings.entropy_both
    assert recipe.load("d3llm", "coder").common.tuning == "full"
    tad = recipe.load("tad_speed", "dream")
    assert (tad.settings.delta, tad.common.batch, tad.common.lr) == (6, 256, 2e-5)
    assert recipe.load("d2f", "llada").common.beta2 == 0.95


def test_an_unknown_key_names_the_closest() -> None:
    with pytest.raises(MethodsUsageError, match=r"'delt'.*Did you mean 'delta'"):
        recipe.load("tad_speed", "mini").with_values({"delt": 4})


BAD: list[dict[str, object]] = [
    {"delta": "0"},
    {"lr": "fast"},
    {"tuning": "qlora"},
    {"lr": "nan"},
    {"lr": "inf"},
    {"steps": -1},
    {"steps": "inf"},
    {"delta": 1.5},
    {"delta": "1e400"},
    {"compat": 1},
    {"top_p": 0},
    {"top_p": 1.5},
    {"score": "luck"},
    {"compat": 7},
    {"compat": None},
    {"tail": "abc"},
    {"tail": -1},
    {"scheduler": "linaer"},
    {"optimizer": "foo"},
    {"dropout": 2},
    {"beta2": 1},
    {"warmup": 1.1},
    {"temperatures": "0,-1"},
    {"temperatures": []},
    {"targets": 3},
    {"tau": 0},
]


@pytest.mark.parametrize("change", BAD, ids=lambda change: "-".join(map(str, *change.items())))
def test_bad_values_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(MethodsUsageError, match=next(iter(change))):
        recipe.load("tad_speed", "mini").with_values(change)


def test_every_element_of_a_list_is_checked() -> None:
    with pytest.raises(MethodsUsageError, match="blocks=0 is not allowed: blocks is a list, each an integer above 0"):
        recipe.load("d3llm", "mini").with_values({"blocks": "0"})
    with pytest.raises(MethodsUsageError, match=r"blocks=\[16, 0\]"):
        recipe.load("d3llm", "mini").with_values({"blocks": [16, 0]})


def test_words_and_numbers_that_are_fine() -> None:
    loaded = recipe.load("tad_speed", "mini")
    for change in (
        {"compat": "1"},
        {"compat": "yes"},
        {"compat": "True"},
        {"tail": 3},
        {"tail": "none"},
        {"warmup": 1},
        {"dropout": 0},
    ):
        assert loaded.with_values(change) is not None
    assert loaded.with_values({"compat": "1"}).settings.compat is True
    assert loaded.with_values({"tail": 3}).common.tail == "3"


def test_transformers_knows_every_scheduler_and_optimizer_that_a_recipe_may_name() -> None:
    from transformers.trainer_utils import SchedulerType
    from transformers.training_args import OptimizerNames

    assert {SchedulerType(name).value for name in CHOICES["scheduler"]} == set(CHOICES["scheduler"])
    assert {OptimizerNames(name).value for name in CHOICES["optimizer"]} == set(CHOICES["optimizer"])


def test_a_file_with_an_unknown_key_names_file_and_key(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("title: t\nsource: s\nobjective: temporal\nloss: {dleta: 3}\nvariants: {mini: {}}\n")
    with pytest.raises(MethodsUsageError, match=r"mine\.yaml.*'dleta'"):
        recipe.load(str(file), "mini")


def test_a_key_given_twice_and_broken_yaml_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "twice.yaml"
    file.write_text("objective: temporal\nloss: {delta: 3}\ndata: {delta: 4}\nvariants: {mini: {}}\n")
    with pytest.raises(MethodsUsageError, match="twice"):
        recipe.load(str(file), "mini")
    file.write_text("objective: [")
    with pytest.raises(MethodsError, match="YAML"):
        recipe.load(str(file), "mini")


def test_unknown_recipe_variant_and_objective() -> None:
    with pytest.raises(MethodsUsageError, match="Did you mean 'tad_speed'"):
        recipe.load("tad_sped", "mini")
    with pytest.raises(MethodsUsageError, match="variant"):
        recipe.load("tad_speed", "gpt")
