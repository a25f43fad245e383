"""The trainer: every objective runs, errors stop it with a sentence, a killed run and two processes change nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from methods.backbones import load
from methods.distill import distiller, model_card, recipe, train
from methods.distill.dataset import TrainingDataset, collate
from methods.distill.describe import describe
from methods.distill.launch import accumulation
from methods.distill.losses import ratio
from methods.distill.recipe_fields import ALL_TARGETS
from methods.distill.student import trainable
from methods.errors import MethodsError, MethodsUsageError
from tests.distill import process, tiny

ROOT = Path(__file__).parents[2]
CONFIGS = ROOT / "examples" / "accelerate"
torch.set_num_threads(1)
LORA = {"tuning": "lora", "rank": 2, "alpha": 2}


def launch(*arguments: str, launcher: tuple[str, ...]) -> None:
    """Run tests.distill.process under a launcher."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": ""}
    command = [*launcher, "-m", "tests.distill.process", *arguments]
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=1200)
    assert done.returncode == 0, done.stderr[-3000:]


def killed(out: Path, name: str, changes: dict[str, Any], at: int) -> int:
    """Train in a forked process that dies by SIGKILL when draw `at` is asked for; its exit status."""
    child = os.fork()
    if child == 0:
        try:
            process.kill_at(at)
            train.train(process.job(out, name, changes), tiny.backbone(), tiny.trajectories())
        finally:
            os._exit(99)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def losses(folder: Path) -> list[float]:
    entries = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [entry["loss"] for entry in entries if "loss" in entry]


@pytest.mark.parametrize(
    ("name", "arch", "changes"),
    [
        ("tad_speed", "llada", {}),
        ("tad_quality", "dream", LORA),
        ("d3llm", "dream", {"blocks": "4,8"}),
        ("dparallel", "llada", LORA),
        ("d2f", "llada", LORA | {"block": 4}),
        ("d2f", "dream", {"block": 4}),
    ],
)
def test_every_objective_trains_and_exports(tmp_path: Path, name: str, arch: str, changes: dict[str, Any]) -> None:
    backbone = tiny.backbone(arch)
    before = {key: value.clone() for key, value in backbone.model.state_dict().items()}
    manifest = train.train(process.job(tmp_path / "out", name, {"steps": 3} | changes), backbone, tiny.trajectories())
    assert manifest["steps"] == 3
    assert 0 < manifest["gflop_per_second"] < 10 * manifest["matmul_gflop_per_second"]
    assert manifest["loss"] == losses(tmp_path / "out")[-1]
    loaded = load(tmp_path / "out", device="cpu")
    moved = [key for key, value in loaded.model.state_dict().items() if not torch.equal(value, before[key])]
    assert moved
    assert not (tmp_path / "out" / "training").exists()
    text = (tmp_path / "out" / "README.md").read_text()
    assert "Not measured yet" in text
    assert manifest["data"]["fingerprint"] in text


def test_block_diffusion_trains_an_ar_model(tmp_path: Path) -> None:
    backbone = tiny.backbone("ar")
    with pytest.raises(MethodsError, match="no mask id"):
        train.train(process.job(tmp_path, "fast_dllm_v2", {}), backbone, tiny.trajectories())
    backbone.special = replace(backbone.special, mask=37)
    manifest = train.train(
        process.job(tmp_path, "fast_dllm_v2", {"block": 4, "steps": 3}), backbone, tiny.trajectories()
    )
    assert manifest["loss"] < 8
    written = load(tmp_path, device="cpu")
    assert (written.arch, written.causal, written.special.mask) == ("block", False, 37)


def test_the_adapter_alone_gives_the_merged_model(tmp_path: Path) -> None:
    train.train(process.job(tmp_path, "d2f", LORA | {"block": 4}), tiny.backbone(), tiny.trajectories())
    from methods.backbones import save

    save(tiny.backbone(), tmp_path / "base")
    merged, laid = load(tmp_path, device="cpu"), load(tmp_path / "base", device="cpu", adapter=tmp_path / "adapter")
    ids = torch.arange(12)[None]
    torch.testing.assert_close(merged.hidden(ids, ids), laid.hidden(ids, ids), rtol=1e-4, atol=1e-5)


def test_adapter_off_is_the_frozen_copy() -> None:
    """The teacher of LoRA training costs no second copy: it equals the untouched base exactly."""
    ids = torch.arange(20).view(2, 10)
    base = tiny.backbone()
    expected = distiller.forward(base.model, ids, None, None, causal=False)
    student, teacher = trainable(base, recipe.load("tad_speed", "mini").with_values(LORA))
    assert teacher is None
    for name, weight in student.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight)
    module = distiller.Distiller(student, None, shift=0, causal=False)  # type: ignore[arg-type]
    with module.teaching() as (teach, _):
        torch.testing.assert_close(teach(ids), expected, rtol=0, atol=0)
    assert not torch.equal(module.hidden(ids), expected)


@pytest.mark.parametrize("arch", ["llada", "dream", "ar"])
def test_training_forward_equals_the_backbones(arch: str) -> None:
    backbone = tiny.backbone(arch)
    ids = torch.randint(0, 30, (2, 9), generator=torch.Generator().manual_seed(0))
    positions = torch.arange(9)[None].expand(2, -1)
    readable = torch.ones(2, 9, dtype=torch.bool)
    readable[1, 6:] = False
    for allowed in (None, readable):
        ours = distiller.forward(backbone.model, ids, allowed, None, causal=backbone.causal)
        theirs = backbone.hidden(ids, positions, readable=allowed)
        torch.testing.assert_close(ours[0], theirs[0])
        torch.testing.assert_close(ours[1, :6], theirs[1, :6])


def test_a_lora_target_that_matches_nothing_is_named() -> None:
    """The reference's names for o, gate and down projections silently match nothing on its LLaDA."""
    loaded = recipe.load("tad_speed", "llada").with_values({"targets": "q_proj,attn_out"})
    with pytest.raises(MethodsError, match=r"'attn_out' matches nothing.*o_proj"):
        trainable(tiny.backbone(), loaded)
    every = recipe.load("tad_speed", "llada").with_values({"rank": 2})
    student, _ = trainable(tiny.backbone(), every)
    adapted = [name.split(".lora_A")[0] for name, _ in student.named_parameters() if "lora_A" in name]
    reached = {name.rpartition(".")[2] for name in adapted}
    assert reached == set(ALL_TARGETS)


def test_nan_stops_names_step_and_rows_and_keeps_the_last_good_checkpoint(tmp_path: Path) -> None:
    job = process.job(
        tmp_path, "tad_speed", {"lr": 1e30, "steps": 20, "save_every": 1, "scheduler": "constant", "clip": 0}
    )
    with pytest.raises(MethodsError, match=r"at step \d+ on the examples row.*(last good|no) checkpoint"):
        train.train(job, tiny.backbone(), tiny.trajectories())
    backbone = tiny.backbone()
    with torch.no_grad():
        backbone.model.model.norm.weight.fill_(float("nan"))
    with pytest.raises(MethodsError, match=r"loss is nan at step 1.*no checkpoint had been written"):
        train.train(process.job(tmp_path / "b", "d3llm", {}), backbone, tiny.trajectories())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: [], "empty"),
        (lambda rows: [replace(rows[0], response=rows[0].response + 20)], "share a vocabulary"),
        (lambda rows: [replace(rows[0], prompt=tiny.ints(range(30)))] * 2, "more than max_length 40"),
        (lambda rows: [replace(rows[0], reveal=rows[0].reveal[:3])], "16 response ids and 3 reveal"),
    ],
)
def test_bad_rows_are_refused(tmp_path: Path, change: Any, message: str) -> None:
    job = process.job(tmp_path, "tad_speed", {"max_length": 40})
    with pytest.raises(MethodsError, match=message):
        train.train(job, tiny.backbone(), change(tiny.trajectories()))


def test_a_batch_that_does_not_divide_is_refused() -> None:
    common = recipe.load("tad_speed", "mini").with_values({"batch": 10, "micro_batch": 4}).common
    with pytest.raises(MethodsUsageError, match="batch=10"):
        accumulation(common, 1)


def test_describe_shows_text_memory_and_loss(tmp_path: Path) -> None:
    plan = describe(process.job(tmp_path, "tad_speed", LORA), tiny.backbone(), tiny.trajectories())
    assert plan["run"]["teacher"] == "adapter off"
    assert "_" in plan["first_batch"][0]["input"]
    assert {row["memory"] for row in plan["memory"]} >= {"weights", "optimizer", "total"}
    assert not list(tmp_path.iterdir())


def test_results_enter_manifest_and_card(tmp_path: Path) -> None:
    train.train(process.job(tmp_path, "dparallel", {"steps": 1}), tiny.backbone(), tiny.trajectories())
    result = {"accuracy": 50.0, "accuracy_ci95": [40.0, 60.0], "tpf": 2.5, "n": 100, "run_id": "abc"}
    model_card.add_results(tmp_path, {"gsm8k": result})
    assert "| gsm8k | 50.0 | 40.0-60.0 | 2.50 | 100 | abc |" in (tmp_path / "README.md").read_text()


def test_the_mean_over_rows_does_not_depend_on_padding() -> None:
    rows, job = tiny.trajectories(), process.job(Path("x"), "tad_speed", {"steps": 2})
    backbone = tiny.backbone()
    module = distiller.Distiller(*trainable_pair(backbone, job), shift=0, causal=False)
    made = train.plan(job, backbone, rows)
    module.objective = made.objective
    batch = collate([made[0], made[1]], 38)
    wide = {name: torch.nn.functional.pad(v, (0, 7)) if v.dim() == 2 else v for name, v in batch.items()}
    plain, _ = module.objective.loss(module, batch, ratio)
    padded, _ = module.objective.loss(module, wide, ratio)
    torch.testing.assert_close(plain, padded)


def trainable_pair(backbone: Any, job: train.Job) -> tuple[Any, Any]:
    student, _ = trainable(backbone, job.recipe.with_values(LORA))
    return student, None


def test_resumed_draws_are_the_draws_of_one_run() -> None:
    job, backbone = process.job(Path("x"), "d3llm", {"steps": 9}), tiny.backbone()
    one, other = (train.plan(job, backbone, tiny.trajectories()) for _ in range(2))
    assert isinstance(one, TrainingDataset)
    for number in (0, 17, 5, 35):
        assert one.names([number]) == other.names([number])
    assert one.per_epoch == 12
    assert sorted(one.names(range(12))) == sorted(row.id for row in tiny.trajectories())


@pytest.mark.parametrize(("name", "changes"), [("tad_speed", LORA | {"dropout": 0.1}), ("d3llm", {"blocks": "4,8"})])
def test_a_killed_run_ends_with_the_same_weights(tmp_path: Path, name: str, changes: dict[str, Any]) -> None:
    whole, torn = process.job(tmp_path / "whole", name, changes), process.job(tmp_path / "torn", name, changes)
    train.train(whole, tiny.backbone(), tiny.trajectories())
    status = killed(torn.out, name, changes, at=14)  # in step 4 of 6, behind the checkpoint of step 2
    assert status == -signal.SIGKILL
    assert (torn.out / "training" / "checkpoint-2" / "complete.json").exists()
    (torn.out / "training" / "checkpoint-4").mkdir()  # as a kill while writing leaves it
    train.train(torn, tiny.backbone(), tiny.trajectories())
    a, b = (load_file(str(job.out / "model.safetensors")) for job in (whole, torn))
    assert all(torch.equal(a[key], b[key]) for key in a)
    assert losses(whole.out) == losses(torn.out)


def test_two_processes_learn_what_one_does(tmp_path: Path) -> None:
    changes = {"lr": 1e-2}
    train.train(process.job(tmp_path / "one", "tad_speed", changes), tiny.backbone(), tiny.trajectories())
    launcher = (sys.executable, "-m", "accelerate.commands.launch", "--config_file", str(CONFIGS / "ddp.yaml"))
    launcher += ("--num_processes", "2")
    launch(str(tmp_path / "two"), "tad_speed", json.dumps(changes | {"micro_batch": 2}), launcher=launcher)
    one, two = losses(tmp_path / "one"), losses(tmp_path / "two")
    assert len(one) == 6
    assert two == pytest.approx(one, rel=1e-5)
    a, b = (load_file(str(tmp_path / name / "model.safetensors")) for name in ("one", "two"))
    for key in a:
        torch.testing.assert_close(a[key], b[key], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("file", sorted(CONFIGS.glob("*.yaml")), ids=lambda file: file.stem)
def test_accelerate_reads_the_shipped_configurations(file: Path) -> None:
    from accelerate.commands.config.config_args import load_config_from_file

    config = load_config_from_file(str(file))
    assert config.num_processes >= 2
    if file.stem == "fsdp":
        assert {"LlamaDecoderLayer", "Qwen2DecoderLayer"} <= set(
            config.fsdp_config["fsdp_transformer_layer_cls_to_wrap"].split(",")
        )
