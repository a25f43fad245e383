"""The doctor finds what is missing before anything is downloaded, and names the command that fixes it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from harness.cli import app
from harness.doctor import Finding, Setup, checkpoints, checks, machine
from harness.doctor.machine import Gpu
from harness.errors import UsageError
from methods.backbones import create, save
from tests.backbones.tiny import LLADA, edit_json


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No network, no probe of the sandbox, no GPU, an empty hub cache."""
    monkeypatch.setattr(machine, "sandbox", lambda: Finding("sandbox", "ok", "bubblewrap"))
    monkeypatch.setattr(machine, "hub_cache", lambda: tmp_path / "hub")
    monkeypatch.setattr("methods.backbones.hub.cached", lambda name, revision=None: None)
    monkeypatch.setattr(machine, "gpus", lambda: ())


def found(**setup: object) -> dict[str, Finding]:
    return {one.check: one for one in checks(Setup(offline=True, **setup))}  # type: ignore[arg-type]


def gpu(monkeypatch: pytest.MonkeyPatch, free_gb: int, build: str = "2.13.0+cu130") -> None:
    real = machine.version
    monkeypatch.setattr(machine, "gpus", lambda: (Gpu("H200", 139 << 30, free_gb * 10**9, "580.1"),))
    monkeypatch.setattr(machine, "version", lambda name: build if name == "torch" else real(name))


def test_the_machine_alone() -> None:
    rows = found()
    assert rows["packages"].state == "ok"
    assert rows["python"].state == "ok"
    assert {one.state for one in rows.values()} <= {"ok", "optional", "missing"}


def test_a_suite_names_downloads_sizes_and_what_nobody_published() -> None:
    rows = found(suite="llada")
    base = rows["llada.base"]
    assert base.state == "missing"
    assert "16.0 GB to download" in base.says
    assert base.fix == "hf download GSAI-ML/LLaDA-8B-Instruct"
    assert rows["llada.d2f adapter"].fix == "hf download SJTU-Deng-Lab/D2F_LLaDA_Instruct_8B_Lora"
    assert rows["llada.tad_speed"].state == "optional"
    assert "--checkpoint" in rows["llada.tad_speed"].fix
    assert sum("memory" in name for name in rows) == 2  # LLaDA-8B once, Qwen2.5-7B once


def test_memory_depends_on_dtype_device_and_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu(monkeypatch, free_gb=80)
    row = found(suite="llada", batch_size=1)["llada.base memory"]
    assert row.state == "ok"
    assert "bfloat16 on cuda: weights 16.0 GB" in row.says
    gpu(monkeypatch, free_gb=24)
    row = found(suite="llada", batch_size=64)["llada.base memory"]
    assert row.state == "missing"
    assert row.fix.startswith("--batch-size ")
    gpu(monkeypatch, free_gb=12)
    assert found(suite="llada", batch_size=1)["llada.base memory"].fix.endswith(("int8", "nf4"))
    gpu(monkeypatch, free_gb=1)
    assert "tiny_a2d" in found(suite="llada", batch_size=1)["llada.base memory"].fix


def test_cuda_asked_for_and_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    assert found(device="cuda")["cuda"].state == "missing"
    assert found()["cuda"].state == "optional"
    gpu(monkeypatch, free_gb=80, build="2.13.0+cpu")
    row = found(device="cuda")["cuda"]
    assert row.state == "missing"
    assert "CPU build" in row.says
    assert row.fix.startswith("pip install")
    gpu(monkeypatch, free_gb=80)
    assert found(device="cuda")["cuda"].state == "ok"


def test_a_package_that_is_too_old(monkeypatch: pytest.MonkeyPatch) -> None:
    real = machine.version
    monkeypatch.setattr(machine, "version", lambda name: "4.49.0" if name == "transformers" else real(name))
    row = found()["packages"]
    assert row.state == "missing"
    assert "transformers>=5.17 (found 4.49.0)" in row.says


def test_no_room_on_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "free", lambda path: 3 * 10**9)
    row = found(checkpoint="GSAI-ML/LLaDA-1.5@v1")["--checkpoint"]
    assert "3.0 GB are free" in row.says
    assert row.fix == "HF_HOME=/a/larger/disk hf download GSAI-ML/LLaDA-1.5 --revision v1"


def test_a_whole_folder_and_a_broken_one(tmp_path: Path) -> None:
    folder = save(create(LLADA, 1), tmp_path / "m")
    assert found(checkpoint=str(folder))["--checkpoint"].state == "ok"
    edit_json(folder / "config.json", n_layers=3)
    row = found(checkpoint=str(folder))["--checkpoint"]
    assert row.state == "missing"
    assert "9 tensors are missing" in row.says
    assert found(checkpoint="nowhere")["--checkpoint"].fix.startswith("hf download")


@pytest.mark.parametrize(
    ("error", "says", "fix"),
    [
        ("GatedRepoError", "gated", "hf auth login"),
        ("RepositoryNotFoundError", "does not know it", "hf auth login"),
        ("RevisionNotFoundError", "no revision v1", "hf download org/name"),
        ("HfHubHTTPError", checkpoints.SILENT, "--checkpoint DIR"),
    ],
)
def test_what_the_hub_answers(error: str, says: str, fix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    kind = getattr(huggingface_hub.errors, error)

    def fail(*args: object, **options: object) -> None:
        raise kind.__new__(kind, "no")

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", fail)
    got = checkpoints.hub_access("org/name", "v1", offline=False)
    assert says in got[0]
    assert fix in got[1]
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    assert checkpoints.hub_access("org/name", "v1", offline=False)[1].startswith("unset HF_HUB_OFFLINE")


def test_an_unknown_suite_is_wrong_usage() -> None:
    with pytest.raises(UsageError, match="Did you mean 'llada'"):
        found(suite="lada")


def test_the_verb_exits_1_and_prints_one_json_document() -> None:
    done = CliRunner().invoke(app, ["doctor", "--suite", "dream", "--offline", "--json"])
    assert done.exit_code == 1
    document = json.loads(done.stdout)
    assert document["ok"] is False
    assert {"check", "state", "says", "fix"} == set(document["findings"][0])
    done = CliRunner().invoke(app, ["doctor", "--offline"])
    assert done.exit_code == 0
    assert "this machine: nothing is missing." in done.stdout


def test_no_torch_is_imported() -> None:
    code = (
        "import sys; from harness.doctor import Setup, checks; from harness.doctor import machine;"
        "machine.sandbox = lambda: machine.disk(); list(checks(Setup(suite='llada', offline=True)));"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
