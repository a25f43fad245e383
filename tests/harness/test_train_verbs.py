"""`harness trajectories` and `harness train` on a tiny random model and the real mini tasks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
import yaml
from typer.testing import CliRunner

from harness.cli import app
from harness.settings import parse
from methods.backbones import create, save
from methods.distill.tokenizer import train_tokenizer
from methods.errors import MethodsError
from tasks.mini import TASKS
from tests.distill import tiny

torch.set_num_threads(1)
PROTOCOLS = {name: f"mini/{name}" for name in ("gsm8k", "math", "humaneval", "mbpp")}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a base, an AR model, a suite and trajectories of it."""
    folder = tmp_path_factory.mktemp("train")
    texts = [problem["question"] for problem in TASKS["gsm8k"].problems("train", 40)]
    tokenizer = train_tokenizer(texts, vocab_size=320)
    ids = {"vocab_size": len(tokenizer), "eos_token_id": 0, "pad_token_id": 2}
    llada = tiny.LLADA | ids | {"embedding_size": len(tokenizer), "mask_token_id": 1, "max_sequence_length": 512}
    for name, config in (("base", llada), ("ar", tiny.QWEN | ids | {"max_position_embeddings": 512})):
        backbone = create(config)
        backbone.tokenizer = tokenizer
        save(backbone, folder / name)
    suite = {
        "name": "mini",
        "title": "Tiny",
        "arch": "llada",
        "context": 512,
        "data": "mini",
        "checkpoints": {name: {"source": str(folder / name)} for name in ("base", "ar")},
        "protocols": PROTOCOLS,
    }
    (folder / "suite.yaml").write_text(yaml.safe_dump(suite))
    for prompt, out in (("privileged", "t"), ("plain", "plain")):
        size = ("--problems", "4", "--gen-length", "16", "--shard", "2", "--prompt", prompt)
        call("trajectories", *size, "--out", str(folder / out), at=folder)
    return folder


def call(verb: str, *arguments: str, at: Path) -> str:
    result = CliRunner().invoke(app, [verb, *arguments, "--suite", str(at / "suite.yaml"), "--json"])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


def train(place: Path, *arguments: str, rows: str = "t") -> str:
    small = ("--set", "correct_only=false", "--set", "batch=2", "--set", "steps=2", "--trajectories", str(place / rows))
    return call("train", *arguments, *small, at=place)


def test_trajectories_hold_one_token_per_forward(place: Path) -> None:
    from methods.backbones import load
    from methods.distill.trajectory_files import load_trajectories

    base = load(place / "base", device="cpu")
    rows = load_trajectories(place / "t", base, correct_only=False)
    assert {row.task for row in rows} == set(PROTOCOLS)
    for row in rows:
        shown = sorted(int(step) for step in row.reveal)
        assert shown[0] == 1
        ends = [place for place, token in enumerate(row.response) if token == 0]
        if not ends:
            assert shown == list(range(1, 17))
        assert base.tokenizer.decode(row.teacher).startswith("Reference Answer: ")
        assert base.tokenizer.decode(row.teacher).endswith(base.tokenizer.decode(row.prompt))


def test_dry_run_shows_data_steps_memory_and_the_first_batch(place: Path) -> None:
    plan = json.loads(train(place, "tad_speed", "--dry-run", "--out", str(place / "dry")))
    assert plan["run"]["rows"] == 4
    assert plan["run"]["steps"] == 2
    assert "Reference Answer" in plan["first_batch"][0]["teacher"]
    assert "Reference Answer" not in plan["first_batch"][0]["input"]
    assert not (place / "dry").exists()


def test_train_writes_a_model_and_its_manifest(place: Path) -> None:
    manifest = json.loads(train(place, "tad_speed", "--seed", "5", "--store", "float16", "--out", str(place / "model")))
    assert manifest["seed"] == 5
    assert manifest["command"].startswith("harness")
    assert (place / "model" / "model.safetensors").exists()
    again = json.loads(train(place, "tad_speed", "--seed", "5", "--store", "float16", "--out", str(place / "model")))
    assert again["seconds"] == manifest["seconds"]


def test_trajectories_decoded_from_the_other_prompt_are_refused(place: Path) -> None:
    with pytest.raises(MethodsError, match=r"decoded from the plain prompt.*--prompt privileged`, or --set prompt=pla"):
        train(place, "tad_speed", "--out", str(place / "wrong"), rows="plain")
    with pytest.raises(MethodsError, match="decoded from the privileged prompt"):
        train(place, "d3llm", "--out", str(place / "wrong"))
    assert not (place / "wrong").exists()


def test_the_manifest_says_what_made_the_rows(place: Path) -> None:
    manifest = json.loads(train(place, "tad_speed", "--set", "prompt=plain", "--out", str(place / "p"), rows="plain"))
    assert manifest["settings"]["prompt"] == "plain"
    made = manifest["data"]["trajectories"]
    assert (made["problems"], made["block"], made["tasks"]) == (4, 16, sorted(PROTOCOLS))
    assert (made["plan"]["decode_from"], made["plan"]["gen_length"]) == ("plain", 16)
    assert (made["score"], made["top_p"]) == ("probability", 1.0)


def test_dreams_teacher_ranks_by_entropy_and_keeps_a_nucleus(place: Path) -> None:
    from methods.backbones import load

    tokenizer = load(place / "base", device="cpu").tokenizer
    ids = {"vocab_size": len(tokenizer), "eos_token_id": [0, 5], "pad_token_id": 2, "mask_token_id": 1}
    dream = create(tiny.QWEN | ids | {"model_type": "Dream", "max_position_embeddings": 512})
    dream.tokenizer = tokenizer
    save(dream, place / "dream")
    size = ("--problems", "2", "--gen-length", "16", "--prompt", "privileged", "--base", str(place / "dream"))
    call("trajectories", *size, "--temperatures", "0.2", "--top-p", "0.95", "--out", str(place / "d"), at=place)
    header = json.loads((place / "d" / "trajectories.json").read_text())
    assert (header["arch"], header["score"], header["top_p"]) == ("dream", "entropy", 0.95)


def test_other_temperatures_and_lengths_give_a_warning(place: Path) -> None:
    from methods.distill import recipe
    from methods.distill.trajectory_files import departures

    common = recipe.load("tad_speed", "mini").with_values({"temperatures": "0.7"}).common
    heat, length = departures(place / "t", common)
    assert heat.endswith("was made with temperatures [0.0]; the recipe has [0.7].")
    assert length.endswith("was made with gen_length 16; the recipe has 64.")
    line = ("--set", "temperatures=0.7", "--dry-run", "--out", str(place / "dry"))
    result = CliRunner().invoke(app, ["train", "tad_speed", *line, "--set", "correct_only=false", *at_suite(place)])
    assert "warning:" in result.stderr
    assert "temperatures [0.0]; the recipe has [0.7]" in result.stderr


def at_suite(place: Path) -> tuple[str, ...]:
    return ("--suite", str(place / "suite.yaml"), "--trajectories", str(place / "t"), "--json")


def test_the_next_step_fits_the_prompt(place: Path) -> None:
    line = ["--problems", "4", "--gen-length", "16", "--shard", "2", "--prompt", "plain", "--out", str(place / "plain")]
    result = CliRunner().invoke(app, ["trajectories", *line, "--suite", str(place / "suite.yaml")])
    assert "next: harness train d3llm" in result.stdout


def test_block_diffusion_learns_from_gold_answers(place: Path) -> None:
    options = ("--tasks", "gsm8k", "--set", "problems=6", "--set", "gen_length=160", "--out", str(place / "v2"))
    manifest = json.loads(train(place, "fast_dllm_v2", *options))
    assert manifest["data"]["kind"] == "gold"
    assert manifest["data"]["rows"] == 6


def test_mistakes(place: Path) -> None:
    with pytest.raises(MethodsError, match="Did you mean 'delta'"):
        train(place, "tad_speed", "--set", "delt=3")
    with pytest.raises(MethodsError, match=r"is correct; nothing to train on"):
        call("train", "tad_speed", "--trajectories", str(place / "t"), at=place)
    with pytest.raises(MethodsError, match="holds no trajectories"):
        call("train", "tad_speed", "--trajectories", str(place / "nowhere"), at=place)
    with pytest.raises(Exception, match="is not KEY=VALUE"):
        parse(["delta"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--tasks", "gsm"), "Did you mean 'gsm8k'"),
        (("--tasks", "long_gsm8k"), "Unknown task of the suite mini 'long_gsm8k'"),
        (("--temperatures", "a"), "--temperatures a: write numbers"),
        (("--temperatures", "0,-1"), "--temperatures 0,-1: write numbers"),
    ],
)
def test_mistakes_in_trajectories(place: Path, options: tuple[str, ...], message: str) -> None:
    with pytest.raises(Exception, match=message) as raised:
        call("trajectories", "--problems", "2", *options, "--out", str(place / "none"), at=place)
    assert raised.value.exit_code == 2  # type: ignore[attr-defined]


def test_an_unknown_tracker_is_named_before_a_model_is_loaded(place: Path) -> None:
    with pytest.raises(MethodsError, match="Did you mean 'wandb'"):
        train(place, "tad_speed", "--report-to", "wandbb", "--base", str(place / "nowhere"))


def test_pretraining_refuses_weights_of_another_shape(place: Path) -> None:
    from harness.errors import UserError
    from harness.pretraining import pretrain_mini

    with pytest.raises(UserError, match=r"no mini checkpoint of this shape: model.embed_tokens.weight is \(\d+, 16\)"):
        pretrain_mini("diffusion", place / "pretrain", steps=1, init=place / "base", progress=False)
    assert not (place / "pretrain").exists()
