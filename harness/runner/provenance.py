"""Where a run happens: git, packages, hardware, driver. Everything that run.json says about the machine."""

from __future__ import annotations

import os
import platform
import shutil
import socket
import subprocess
import sys
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = (
    "dllm-harness",
    "torch",
    "transformers",
    "tokenizers",
    "safetensors",
    "lm_eval",
    "datasets",
    "peft",
    "accelerate",
    "numpy",
)


def now() -> str:
    """The wall clock in UTC, to the second; for people only, nothing is ever ordered by it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


@cache
def git() -> dict[str, Any]:
    """Commit and dirty flag of the harness's own checkout; empty when it is installed without one."""
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists() or shutil.which("git") is None:
        return {}

    def ask(*words: str) -> str:
        done = subprocess.run(["git", "-C", str(root), *words], capture_output=True, text=True, timeout=30, check=False)
        return done.stdout.strip()

    commit = ask("rev-parse", "HEAD")
    dirty = bool(ask("status", "--porcelain", "--untracked-files=no"))
    return {"commit": commit, "dirty": dirty} if commit else {}


@cache
def packages() -> dict[str, str]:
    """Versions of Python and of the packages that a result can depend on."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


@cache
def hardware() -> dict[str, Any]:
    """CPU, memory, threads, and per accelerator its name, memory and driver."""
    import psutil
    import torch

    found: dict[str, Any] = {
        "platform": platform.platform(),
        "cpu": _cpu(),
        "cpus": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "memory_gb": round(psutil.virtual_memory().total / 2**30, 1),
    }
    if torch.cuda.is_available():
        found["gpus"] = [
            {"name": properties.name, "memory_gb": round(properties.total_memory / 2**30, 1)}
            for properties in map(torch.cuda.get_device_properties, range(torch.cuda.device_count()))
        ]
        found["cuda"] = torch.version.cuda
        found["driver"] = _driver()
    return found


def _cpu() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _driver() -> str | None:
    if shutil.which("nvidia-smi") is None:
        return None
    words = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=30, check=False)
    return done.stdout.strip().splitlines()[0] if done.stdout.strip() else None


def session(batch_size: int, device: str, limit: int | None, compiled: bool = False) -> dict[str, Any]:
    """One start of a run: when, where, how. A continued run has several."""
    return {
        "started": now(),
        "command": _command(),
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "limit": limit,
        "batch_size": batch_size,
        "device": device,
        "compiled": compiled,
        "git": git(),
        "packages": packages(),
        "hardware": hardware(),
    }


def _command() -> list[str]:
    return [Path(sys.argv[0]).name, *sys.argv[1:]]
