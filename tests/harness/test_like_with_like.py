"""Rows of one column under equal conditions: what an EOS does, which model is decoded, and what names it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.errors import UsageError
from harness.runner import RunSpec, choose, prepare
from harness.store import load_runs
from harness.sweep import Grid
from harness.sweep.run import make_plan
from methods import registry
from methods.decoding import FillTail, Ignore
from tests.backbones.tiny import DREAM, QWEN2
from tests.harness.tiny import checkpoint
from tests.harness.verbs import in_process

Spec = Callable[..., RunSpec]
LLADA = "GSAI-ML/LLaDA-8B-Instruct"


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Checkpoint folders: a second LLaDA model (with the tiny tokenizer), a Dream model and an autoregressive one."""
    from methods.backbones import create, load, save

    place = tmp_path_factory.mktemp("checkpoints")
    second = load(checkpoint(), device="cpu")
    for parameter in second.model.parameters():
        parameter.mul_(1.5)
    made = {"second": second, "dream": create(DREAM, 1), "ar": create(QWEN2, 1)}
    return {name: str(save(one, place / name)) for name, one in made.items()}


def test_the_protocol_decides_what_an_eos_does_in_every_row() -> None:
    for name, method in registry.all_methods().items():
        for task in ("gsm8k", "humaneval"):
            setting = choose(RunSpec(name, task, suite="llada", checkpoint=LLADA)).setting
            assert setting.get("early_stop", "by nature") == ("by nature" if method.family == "ar" else True), name


@pytest.mark.parametrize(
    ("name", "task", "protocol", "given", "wanted"),
    [
        ("d3llm", "humaneval", None, {}, True),  # d3LLM's script has none here
        ("d3llm", "humaneval", "llada-d3llm", {}, False),
        ("d3llm", "gsm8k", "llada-d3llm", {}, True),
        ("d3llm", "gsm8k", "llada-tad", {}, True),
        ("vanilla", "gsm8k", "llada-d3llm", {}, False),
        ("fast_dllm_v2", "gsm8k", "llada-d3llm", {}, True),
        ("tad_speed", "gsm8k", "llada-tad", {}, False),
        ("tad_speed", "gsm8k", None, {"early_stop": "false"}, False),
        ("vanilla", "gsm8k", "llada-d3llm", {"early_stop": "true"}, True),
    ],
)
def test_a_methods_own_choice_holds_in_the_papers_protocols_and_by_hand(
    name: str, task: str, protocol: str | None, given: dict[str, str], wanted: bool
) -> None:
    spec = RunSpec(name, task, suite="llada", checkpoint=LLADA, protocol=protocol, settings=given)
    assert choose(spec).setting["early_stop"] is wanted


def test_the_choice_reaches_the_decoder_and_run_json(spec: Spec, models: Any) -> None:
    """`tad_speed` has no early stop of its own in any script; the engine's serves."""
    small = {"gen_length": 16, "block_size": 8}
    fair = prepare(choose(spec(method="tad_speed", settings=small)), models)
    by_hand = prepare(choose(spec(method="tad_speed", settings={**small, "early_stop": False})), models)
    own = prepare(choose(spec(method="tad_speed", settings=small, protocol="llada-tad")), models)
    assert [type(job.decoder.stop) for job in (fair, by_hand, own)] == [FillTail, Ignore, Ignore]
    assert [job.run["eos_policy"] for job in (fair, by_hand, own)] == ["fill_tail", "cut", "cut"]
    assert [job.run["setting"]["early_stop"] for job in (fair, by_hand, own)] == [True, False, False]
    assert len({job.run["run_id"] for job in (fair, by_hand, own)}) == 3


def test_lm_eval_decodes_under_the_same_policy(suite: str) -> None:
    from types import SimpleNamespace

    from harness.adapter import DllmLM

    model = DllmLM(method="tad_speed", suite=suite, device="cpu", gen_length=16, block_size=8)

    def stop(**options: Any) -> type:
        one = SimpleNamespace(args=("Question: 1", options), doc_id=0, task_name="mini_gsm8k")
        return type(model._prepare(one, model._asked(one)).decoder.stop)

    assert stop() is FillTail
    assert stop(eos_policy="cut") is Ignore
    assert stop(early_stop=False) is Ignore
    assert model.get_model_info()["setting"]["early_stop"] is True


def test_two_checkpoints_are_two_rows_once_they_are_labelled(
    suite: str, folders: dict[str, str], tmp_path: Path, capsys: Any
) -> None:
    out, said = str(tmp_path / "runs"), ["--json", "--no-page", "--no-figures"]
    run = ["run", "-m", "tad_speed", "-t", "gsm8k", "--suite", suite, "--limit", "3", "--out", out, "--json"]
    run += ["--set", "gen_length=16", "--set", "block_size=8", "--set", "threshold=3"]
    second = [*run, "--checkpoint", folders["second"]]
    report = ["report", "--runs", out, "--out", str(tmp_path / "report"), *said]
    assert [in_process(capsys, *words)[0] for words in (run, second)] == [0, 0]
    code, printed, shown = in_process(capsys, *report)
    sentence = json.loads(printed)["error"]
    assert code != 0
    assert "2 different weights" in sentence
    assert "--label" in sentence
    assert "2 different weights" in shown, "on the terminal too"
    code, printed, _ = in_process(capsys, *second, "--label", "TAD, 1.5 times")
    labelled = json.loads(printed)
    assert (code, labelled["state"], labelled["new"], labelled["label"]) == (0, "stored", 0, "TAD, 1.5 times")
    assert in_process(capsys, *report)[0] == 0
    board = (tmp_path / "report" / "leaderboard.csv").read_text(encoding="utf-8")
    assert "tad_speed" in board
    assert "TAD, 1.5 times" in board
    frames = load_runs(out, samples=False)
    assert list(frames.points["label"].dropna()) == ["TAD, 1.5 times"]
    assert frames.runs["run_id"].nunique() == 2
    assert set(frames.runs["eos_policy"]) == {"fill_tail"}


@pytest.mark.parametrize(
    ("label", "words"),
    [
        ("d3llm", "the name of another method"),
        (" mine", "cannot name a row"),
        ("", "cannot name a row"),
        ("a\nb", "cannot name a row"),
        ("x" * 81, "1 to 80 printable characters"),
    ],
)
def test_a_label_that_cannot_name_a_row_is_refused(spec: Spec, label: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        choose(spec(label=label))


def test_one_label_never_names_the_rows_of_two_methods(suite: str) -> None:
    base = RunSpec("", "", suite=suite, limit=1)

    def plan(label: str) -> list[RunSpec]:
        from dataclasses import replace

        return make_plan(Grid(replace(base, label=label), ("test_entropy", "test_other"), ("gsm8k",)))

    with pytest.raises(UsageError, match=r"one row of test_entropy and test_other; write \{method\} in it"):
        plan("mine")
    specs = plan("{method} (mine)")
    assert {choose(one).label for one in specs} == {"test_entropy (mine)", "test_other (mine)"}
    assert "--label '{method} (mine)'" in specs[0].command()


def test_a_suite_names_the_rows_of_its_checkpoints(suite: str, tmp_path: Path, folders: dict[str, str]) -> None:
    content = yaml.safe_load(Path(suite).read_text(encoding="utf-8"))
    content["checkpoints"]["tad_speed"]["label"] = "TAD, second training"
    mine = tmp_path / "mine.yaml"
    mine.write_text(yaml.safe_dump(content), encoding="utf-8")
    spec = RunSpec("tad_speed", "gsm8k", suite=str(mine))
    assert choose(spec).label == "TAD, second training"
    assert choose(RunSpec("test_entropy", "gsm8k", suite=str(mine))).label is None
    assert choose(RunSpec("tad_speed", "gsm8k", suite=str(mine), label="now")).label == "now"
    other = RunSpec("tad_speed", "gsm8k", suite=str(mine), checkpoint=folders["second"])
    assert choose(other).label is None, "the suite speaks of its own checkpoint only"


def test_a_checkpoint_of_another_architecture_is_refused_before_it_is_loaded(
    suite: str, folders: dict[str, str], spec: Spec, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("methods.backbones.load", lambda *args, **kwargs: pytest.fail("loaded"))
    words = r"architecture dream, the suite mini is for llada; give --suite dream or dream_coder"
    with pytest.raises(UsageError, match=words):
        choose(spec(checkpoint=folders["dream"]))
    with pytest.raises(UsageError, match="Dream-org/Dream-v0-Instruct-7B is a checkpoint of the architecture dream"):
        choose(RunSpec("d3llm", "gsm8k", suite="llada", checkpoint="Dream-org/Dream-v0-Instruct-7B"))
    from harness.adapter import DllmLM

    with pytest.raises(UsageError, match=words):
        DllmLM(method="tad_speed", suite=suite, checkpoint=folders["dream"], device="cpu")
    assert choose(spec(method="ar", checkpoint=folders["ar"])).key.source == folders["ar"]


def test_the_doctor_agrees(folders: dict[str, str], capsys: Any) -> None:
    def found(checkpoint: str, suite: str) -> dict[str, Any]:
        words = ["doctor", "--offline", "--json", "--suite", suite, "--checkpoint", checkpoint]
        findings = json.loads(in_process(capsys, *words)[1])["findings"]
        return {one["check"]: one for one in findings if one["check"].endswith("architecture")}

    (said,) = found(folders["dream"], "mini").values()
    assert (said["state"], said["fix"][:24]) == ("missing", "give --suite dream or dr")
    assert not found(folders["dream"], "dream")
    assert not found(folders["ar"], "mini")
