"""The launchers themselves: torchrun and accelerate start `harness run` and lm-eval's command line."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from harness.store import find_runs
from tests.harness.test_ranks import content, words

ROOT = Path(__file__).parents[2]
TORCHRUN = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
ACCELERATE = ["-m", "accelerate.commands.launch", "--config_file", str(ROOT / "examples/accelerate/ddp.yaml")]
ACCELERATE += ["--num_processes", "2", "--main_process_port", "0"]
pytestmark = pytest.mark.slow  # each starts three processes that import torch


def launch(launcher: list[str], *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "160", "CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, *launcher, *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment, timeout=900, check=False)


@pytest.mark.parametrize("launcher", [TORCHRUN, ACCELERATE], ids=["torchrun", "accelerate"])
def test_harness_run_under_a_launcher(launcher: list[str], suite: str, tmp_path: Path) -> None:
    if launcher is ACCELERATE:
        pytest.importorskip("accelerate")
    run = ["-m", "tests.harness.launch", *words(suite, tmp_path / "two", "--limit", "7", "--json")]
    done = launch(launcher, *run)
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    one = subprocess.run(
        [sys.executable, "-m", "tests.harness.launch", *words(suite, tmp_path / "one", "--limit", "7", "--json")],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=True,
    )
    alone = json.loads(one.stdout)
    for name in ("n_samples", "tokens", "forwards", "tpf", "accuracy", "new", "run_id"):
        assert summary[name] == alone[name]
    assert content(tmp_path / "two") == content(tmp_path / "one")
    assert len(find_runs(tmp_path / "two")) == 1
    wrong = launch(launcher, "-m", "tests.harness.launch", *words(suite, tmp_path / "x", "--set", "treshold=1"))
    assert wrong.returncode != 0
    assert len(re.findall(r"^harness: .*Did you mean 'threshold'", wrong.stderr, re.MULTILINE)) == 1


def test_lm_eval_under_torchrun(suite: str) -> None:
    run = ["run", "--model", "dllm", "--tasks", "mini_gsm8k", "--limit", "3", "--device", "cpu", "--batch_size", "2"]
    arguments = f"method=vanilla,suite={suite},checkpoint={Path(suite).parent / 'checkpoint'},gen_length=32"
    done = launch(TORCHRUN, "-m", "harness.lm_eval", *run, "--model_args", arguments)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.count("mini_gsm8k") == 1
