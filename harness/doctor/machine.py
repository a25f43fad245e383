"""The machine: Python, packages, processor, memory, GPU, attention kernels, sandbox, disk."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import metadata, util
from pathlib import Path

from harness.doctor.finding import Finding, Setup

GB = 1_000_000_000
OPTIONAL = {
    "peft": ("LoRA adapters and the trainers", "pip install '.[train]'"),
    "bitsandbytes": ("--dtype int8 and nf4", "pip install '.[quant]'"),
    "ray": ("--executor ray", "pip install '.[ray]'"),
}


def findings(setup: Setup) -> Iterator[Finding]:
    """All checks of the machine."""
    yield Finding("python", "ok", f"{platform.python_version()} on {platform.system()} {platform.machine()}")
    yield from packages()
    for name, (what, fix) in OPTIONAL.items():
        found = version(name)
        yield Finding(name, "ok", found) if found else Finding(name, "optional", f"not installed: no {what}", fix)
    yield processor()
    yield gpu(setup)
    yield flash()
    yield sandbox()
    yield disk()


def version(name: str) -> str:
    """The installed version of a distribution, '' when it is not installed."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def packages() -> Iterator[Finding]:
    """The base requirements as this installation declares them, each against what is installed."""
    from packaging.requirements import Requirement

    try:
        lines = metadata.requires("dllm-harness") or []
    except metadata.PackageNotFoundError:
        yield Finding("dllm-harness", "missing", "not installed as a package", "pip install -e .")
        return
    bad = []
    for line in lines:
        need = Requirement(line)
        if need.marker is not None and not need.marker.evaluate({"extra": ""}):
            continue
        found = version(need.name)
        if not found or not need.specifier.contains(found, prereleases=True):
            bad.append(f"{need.name}{need.specifier} (found {found or 'nothing'})")
    if bad:
        yield Finding("packages", "missing", "; ".join(bad), "pip install --upgrade .")
    else:
        named = ", ".join(f"{name} {version(name)}" for name in ("torch", "transformers", "lm-eval", "datasets"))
        yield Finding("packages", "ok", named)


def processor() -> Finding:
    """Cores and memory."""
    import psutil

    memory = psutil.virtual_memory()
    return Finding(
        "cpu", "ok", f"{os.cpu_count()} cores, {memory.available / GB:.1f} of {memory.total / GB:.1f} GB free"
    )


@dataclass(frozen=True)
class Gpu:
    """One NVIDIA GPU as `nvidia-smi` sees it; memory in bytes."""

    name: str
    total: int
    free: int
    driver: str


@cache
def gpus() -> tuple[Gpu, ...]:
    """The NVIDIA GPUs of this machine; empty without `nvidia-smi`."""
    if shutil.which("nvidia-smi") is None:
        return ()
    words = ["nvidia-smi", "--query-gpu=name,memory.total,memory.free,driver_version", "--format=csv,noheader,nounits"]
    try:
        text = subprocess.run(words, capture_output=True, text=True, timeout=20, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return ()
    rows = [[cell.strip() for cell in line.split(",")] for line in text.splitlines() if line.count(",") == 3]
    return tuple(Gpu(name, int(total) << 20, int(free) << 20, driver) for name, total, free, driver in rows)


def device(setup: Setup) -> str:
    """`cuda` or `cpu`: what `--device auto` will choose here."""
    if setup.device != "auto":
        return "cuda" if setup.device.startswith("cuda") else "cpu"
    return "cuda" if gpus() and "+cpu" not in version("torch") else "cpu"


def dtype(setup: Setup) -> str:
    """What `--dtype auto` will choose here, and short names written out."""
    if setup.dtype == "auto":
        return "bfloat16" if device(setup) == "cuda" else "float32"
    return {"fp32": "float32", "bf16": "bfloat16", "fp16": "float16"}.get(setup.dtype, setup.dtype)


def gpu(setup: Setup) -> Finding:
    """Whether CUDA can be used: a driver, a GPU, and a torch built for it."""
    wanted = "missing" if setup.device.startswith("cuda") else "optional"
    if not gpus():
        says = "no NVIDIA GPU or no driver (nvidia-smi finds none): everything runs on the CPU, 8B models very slowly"
        return Finding("cuda", wanted, says, "use --suite mini or tiny_a2d here, or a machine with a GPU")
    text = ", ".join(f"{one.name} {one.free / GB:.0f} of {one.total / GB:.0f} GB free" for one in gpus())
    if "+cpu" in version("torch"):
        fix = "pip install --force-reinstall torch   (a CUDA build; remove a CPU-only index from pip's settings)"
        return Finding("cuda", wanted, f"{text}, but torch {version('torch')} is a CPU build", fix)
    return Finding("cuda", "ok", f"{text}, driver {gpus()[0].driver}")


def flash() -> Finding:
    """FlashAttention as a package of its own; torch's SDPA brings such kernels for windows without a mask."""
    if util.find_spec("flash_attn") is not None:
        return Finding("flash-attention", "ok", version("flash-attn") or version("flash_attn") or "installed")
    says = "flash-attn is not installed; torch's own SDPA kernels are used, which serve mask-free windows as well"
    fix = "pip install flash-attn --no-build-isolation" if gpus() else ""
    return Finding("flash-attention", "optional", says, fix)


def sandbox() -> Finding:
    """How generated code will be confined (humaneval, mbpp), determined by running a probe."""
    from tasks.sandbox import available

    name = available()[0].name
    if name == "limits":
        says = "generated code (humaneval, mbpp) cannot be confined here: neither bubblewrap nor user namespaces work"
        return Finding(
            "sandbox", "optional", says, "apt-get install bubblewrap, or --allow-unconfined-code in a container"
        )
    return Finding("sandbox", "ok", name)


def disk() -> Finding:
    """Free space where runs and downloads are written."""
    places = {"here": Path.cwd(), "hub cache": hub_cache()}
    text = ", ".join(f"{name} {free(path) / GB:.1f} GB" for name, path in places.items())
    if not os.access(Path.cwd(), os.W_OK):
        return Finding(
            "disk", "missing", f"{text}; this folder is not writable", "cd to a writable folder or give --out"
        )
    return Finding("disk", "ok", f"free: {text}")


def hub_cache() -> Path:
    """Where the hub's client keeps downloads."""
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE)


def free(path: Path) -> int:
    """Free bytes on the disk that holds `path`, or will."""
    while not path.exists():
        path = path.parent
    return shutil.disk_usage(path).free
