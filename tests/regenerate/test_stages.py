"""Regeneration: stages run once, again when an input changed, and continue after a failure."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from harness.errors import UsageError, UserError
from harness.regenerate import Records, Stage, run, stages
from harness.regenerate.profiles import PROFILES, profile_of
from harness.regenerate.records import hash_files
from harness.regenerate.roots import Code
from harness.regenerate.steps import write_data, write_suite


def chain(folder: Path, first: str = "a", second: str = "b") -> list[Stage]:
    module = "tests.regenerate.touch"
    return [
        Stage("one", (str(folder / "one"), first), (folder / "one",), module=module),
        Stage("two", (str(folder / "two"), second), (folder / "two",), after=("one",), module=module),
    ]


def runs(folder: Path) -> tuple[int, int]:
    counts = [folder / f"{name}.runs" for name in ("one", "two")]
    return tuple(len(file.read_text()) if file.exists() else 0 for file in counts)  # type: ignore[return-value]


def go(folder: Path, first: str = "a", second: str = "b") -> Records:
    records = Records(folder, chain(folder, first, second))
    run(records, lambda line: None)
    return records


def test_stages_run_once_and_again_when_their_inputs_change(tmp_path: Path) -> None:
    go(tmp_path)
    go(tmp_path)
    assert runs(tmp_path) == (1, 1)
    go(tmp_path, second="c")
    assert runs(tmp_path) == (1, 2)
    go(tmp_path, first="z", second="c")
    assert runs(tmp_path) == (2, 3)
    (tmp_path / "one").write_text("somebody's edit")
    records = go(tmp_path, first="z", second="c")
    assert runs(tmp_path) == (3, 3)
    assert all(records.fresh(stage) for stage in records.stages)
    assert "| total |" in (tmp_path / "cost.md").read_text()


def test_a_failed_stage_is_named_and_the_next_call_continues(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="two ended with exit code 3"):
        go(tmp_path, second="fail")
    records = json.loads((tmp_path / "stages.json").read_text())
    assert records["one"]["output"]
    assert records["two"]["output"] is None
    go(tmp_path)
    assert runs(tmp_path) == (1, 2)


def test_a_stage_that_writes_nothing_is_named(tmp_path: Path) -> None:
    stage = Stage("odd", (str(tmp_path / "one"), "a"), (tmp_path / "elsewhere",), module="tests.regenerate.touch")
    with pytest.raises(UserError, match="odd ended without an error but did not write"):
        run(Records(tmp_path, [stage]), lambda line: None)


@pytest.mark.parametrize("name", sorted(PROFILES))
def test_the_plan_is_complete_and_in_order(tmp_path: Path, name: str) -> None:
    plan = stages(tmp_path, profile_of(name), seed=3)
    seen: set[str] = set()
    for stage in plan:
        assert set(stage.after) <= seen, stage.name
        assert stage.name not in seen
        seen.add(stage.name)
    assert {"data", "tokenizer", "pretrain_base", "pretrain_ar", "sweep_vanilla", "sweep_d3llm_cache", "report"} <= seen
    assert {"d3llm", "tad_quality", "tad_speed", "dparallel", "d2f", "fast_dllm_v2"} <= seen
    assert {f"tad_speed.delta{delta}" for delta in profile_of(name).deltas} <= seen


def test_only_some_rows(tmp_path: Path) -> None:
    names = [stage.name for stage in stages(tmp_path, profile_of("quick"), methods=("tad_speed",))]
    assert "d2f" not in names
    assert "trajectories_privileged" in names
    assert "trajectories_plain" not in names
    with pytest.raises(UsageError, match="quick"):
        profile_of("quik")
    with pytest.raises(UsageError, match="Did you mean 'tad_speed'"):
        stages(tmp_path, profile_of("quick"), methods=("tad_sped",))


def test_further_seeds_are_further_and_findings_promise_what_can_be_found(tmp_path: Path) -> None:
    full = {stage.name: stage for stage in stages(tmp_path, profile_of("full"), seed=1)}
    for name, seed in {"d3llm": "1", "d3llm.seed2": "2", "d3llm.seed3": "3"}.items():
        command = full[name].command
        assert command[command.index("--seed") + 1] == seed, name
    assert "d3llm.seed1" not in full
    assert {file.name for file in full["findings"].output} == {"seeds.csv", "delta.csv", "cost.csv"}
    one = {stage.name: stage for stage in stages(tmp_path, profile_of("full"), methods=("d3llm",))}
    assert {file.name for file in one["findings"].output} == {"seeds.csv", "cost.csv"}


def test_a_quick_report_says_so(tmp_path: Path) -> None:
    quick, full = ({stage.name: stage for stage in stages(tmp_path, profile_of(name))} for name in ("quick", "full"))
    assert "Quick profile" in quick["report"].command[quick["report"].command.index("--note") + 1]
    assert "--note" not in full["report"].command


def test_keys_are_the_same_in_any_folder_and_follow_seed_and_profile() -> None:
    def keys(folder: str, profile: str = "quick", seed: int = 0) -> dict[str, str]:
        return Records(Path(folder), stages(Path(folder), profile_of(profile), seed=seed)).keys

    first = keys("r")
    assert keys("/somewhere/else") == first
    assert len(set(first.values())) == len(first)
    other = keys("r", seed=1)
    same = {name for name in first if other[name] == first[name]}
    assert same == {"data", "tokenizer"}
    full = keys("r", "full")
    assert full["pretrain_ar"] != first["pretrain_ar"]


def test_a_stage_whose_inputs_came_out_the_same_is_not_run_again(tmp_path: Path) -> None:
    records = go(tmp_path)
    first, second = chain(tmp_path)
    renamed = replace(first, code=Code(content=(("text", "another"),)))  # other code that writes the same
    again = Records(tmp_path, [renamed, second])
    assert again.keys["one"] != records.keys["one"]
    assert again.keys["two"] != records.keys["two"]
    run(again, lambda line: None)
    assert runs(tmp_path) == (2, 1)
    assert json.loads((tmp_path / "stages.json").read_text())["one"]["key"] == again.keys["one"]


def test_hashes_see_names_and_contents(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1")
    (tmp_path / "b").write_text("1")
    first, second = (hash_files([tmp_path / name], tmp_path) for name in "ab")
    assert first != second
    (tmp_path / "a").write_text("2")
    assert hash_files([tmp_path / "a"], tmp_path) != first


def test_data_and_suite_steps(tmp_path: Path) -> None:
    facts = write_data(tmp_path / "data")
    assert set(facts) == {"gsm8k", "math", "humaneval", "mbpp"}
    assert write_data(tmp_path / "again") == facts
    source = tmp_path / "mini.yaml"
    source.write_text("name: mini\ntitle: Mini\ncheckpoints: {base: {source: 'package:mini/base'}}\n")
    write_suite(tmp_path / "suite.yaml", "quick", source)
    text = (tmp_path / "suite.yaml").read_text()
    assert "quick profile" in text
    assert str(tmp_path / "weights" / "tad_speed") in text
    assert str(tmp_path / "pretrain" / "base" / "checkpoint") in text
