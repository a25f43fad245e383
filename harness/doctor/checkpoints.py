"""Checkpoints: whether they are present, complete, reachable, and small enough for the memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from harness.doctor import machine
from harness.doctor.finding import Finding, Setup
from harness.doctor.machine import GB
from methods.errors import MethodsError

if TYPE_CHECKING:
    from harness.suites import Suite
    from methods.backbones.config import ModelConfig

SILENT = "the hub does not answer from this machine"


def of_suite(suite: Suite, setup: Setup) -> Iterator[Finding]:
    """Every checkpoint that the suite names, and the reason where it names none for a method."""
    sizes: set[int] = set()
    for key, ref in suite.checkpoints.items():
        adapter = setup.adapter or ref.adapter
        for finding in of_source(f"{suite.name}.{key}", ref.source, adapter, setup, sizes, suite):
            yield finding
            if SILENT in finding.says:  # one time-out is enough
                setup = replace(setup, offline=True)
    for key, note in suite.unpublished.items():
        fix = f"harness run --suite {suite.name} … --checkpoint FOLDER_OR_HUB_ID"
        yield Finding(f"{suite.name}.{key}", "optional", note, fix)


def of_source(
    name: str,
    source: str,
    adapter: str | None,
    setup: Setup,
    sizes: set[int] | None = None,
    suite: Suite | None = None,
) -> Iterator[Finding]:
    """One checkpoint and its adapter: where it is, whether its files are complete, whether memory suffices.

    sizes: parameter counts whose memory was already reported; filled here. suite: the one it is to run under.
    """
    from methods.backbones import hub, published
    from methods.backbones.memory import parameters

    try:
        kind, place, revision = hub.parse(source)
    except MethodsError as error:
        yield Finding(name, "missing", str(error), "hf download ORG/NAME, then --checkpoint with the folder it prints")
        return
    folder = hub.cached(place, revision) if kind == "hub" else None
    config = published.find(place) if kind == "hub" else None
    try:
        folder = folder if kind == "hub" else hub.locate(source)
        if folder is not None:
            config = inspect(folder)
            yield Finding(name, "ok", f"{source} is in {folder}, complete, {config.arch}")
    except MethodsError as error:
        yield Finding(name, "missing", str(error), f"hf download {place}" if kind == "hub" else "")
        return
    if config is not None and suite is not None and (other := other_arch(source, config.arch, suite)):
        yield Finding(f"{name} architecture", "missing", *other)
    if folder is None:
        yield download(name, place, revision, config, setup)
    if adapter is not None:
        yield adapter_of(name, adapter, setup)
    if config is not None and parameters(config) not in (sizes or ()):
        yield memory_of(name, config, setup)
        if sizes is not None:
            sizes.add(parameters(config))


def other_arch(source: str, arch: str, suite: Suite) -> tuple[str, str] | None:
    """(what is wrong, the way out) for a diffusion checkpoint of another architecture than the suite's, else None.

    The checkpoint of an autoregressive or block diffusion method fits into every suite.
    """
    from harness.errors import UsageError
    from harness.suites import ARCHITECTURES, check_arch

    if arch == "ar" or arch not in ARCHITECTURES:
        return None
    try:
        check_arch(suite, "dllm", source, arch)
    except UsageError as error:
        problem, _, way = str(error).partition("; ")
        return f"{problem}.", way
    return None


def inspect(folder: Path) -> ModelConfig:
    """The config of a checkpoint folder, its tensor names, shapes and special ids checked from the files' headers.

    Raises MethodsError naming file and tensor.
    """
    from methods.backbones import files, special
    from methods.backbones.config import model_config
    from methods.backbones.tensor_names import expected, to_module

    raw = files.read_config(folder)
    config = model_config(raw, str(folder / "config.json"))
    files.plan(folder, expected(config), lambda tensor: to_module(tensor, config.arch))
    special.resolve(config.arch, config.vocab, raw, folder)
    return config


def download(name: str, hub_id: str, revision: str | None, config: ModelConfig | None, setup: Setup) -> Finding:
    """The size of a download, and whether the hub answers."""
    from methods.backbones.memory import weight_bytes

    tail = f" --revision {revision}" if revision else ""
    fix = f"hf download {hub_id}{tail}"
    size = weight_bytes(config, "bfloat16") if config else 0
    says = f"{hub_id} is not on this machine" + (f": {size / GB:.1f} GB to download" if size else "")
    free = machine.free(machine.hub_cache())
    if size > free:
        fix = f"HF_HOME=/a/larger/disk {fix}"
        says += f", {free / GB:.1f} GB are free in {machine.hub_cache()}"
    access = hub_access(hub_id, revision, setup.offline)
    return Finding(name, "missing", f"{says}; {access[0]}" if access[0] else says, access[1] or fix)


def hub_access(hub_id: str, revision: str | None, offline: bool) -> tuple[str, str]:
    """(what prevents a download, how to fix it), ('', '') when nothing does. Makes one short request."""
    from huggingface_hub import HfApi, constants, errors

    if offline:
        return "", ""
    if constants.HF_HUB_OFFLINE:
        return "HF_HUB_OFFLINE is set", f"unset HF_HUB_OFFLINE && hf download {hub_id}"
    try:
        HfApi().model_info(hub_id, revision=revision, timeout=5)
    except errors.GatedRepoError:
        return "it is gated", "accept the licence on its hub page, then: hf auth login"
    except errors.RevisionNotFoundError:
        return f"it has no revision {revision}", f"hf download {hub_id}"
    except errors.RepositoryNotFoundError:
        return "the hub does not know it, or it is private", "check the name, or: hf auth login"
    except Exception as error:  # any transport error: whichever HTTP library the hub's client uses today
        fix = f"on a machine with access: hf download {hub_id} --local-dir DIR; here: --checkpoint DIR"
        return f"{SILENT} ({type(error).__name__})", fix
    return "", ""


def adapter_of(name: str, adapter: str, setup: Setup) -> Finding:
    """A LoRA adapter: present or to be downloaded, and peft to read it."""
    from methods.backbones import hub

    if not machine.version("peft"):
        return Finding(f"{name} adapter", "missing", f"{adapter} needs peft", machine.OPTIONAL["peft"][1])
    try:
        kind, place, revision = hub.parse(adapter)
    except MethodsError as error:
        return Finding(f"{name} adapter", "missing", str(error))
    if kind == "hub" and hub.cached(place, revision) is None:
        blocked, fix = hub_access(place, revision, setup.offline)
        says = f"{place} is not on this machine" + (f"; {blocked}" if blocked else "")
        return Finding(f"{name} adapter", "missing", says, fix or f"hf download {place}")
    return Finding(f"{name} adapter", "ok", adapter)


def memory_of(name: str, config: ModelConfig, setup: Setup) -> Finding:
    """Weights and working memory of a batch of this length against what is free; the dtype or batch that would fit."""
    from methods.backbones.memory import ITEM, free_bytes, weight_bytes, working_bytes

    where, kind = machine.device(setup), machine.dtype(setup)
    if kind not in ITEM:
        return Finding(f"{name} memory", "missing", f"unknown dtype {kind}", f"--dtype {' | '.join(ITEM)}")
    canvas = min(config.positions, 1024 + setup.gen_length)
    have = machine.gpus()[0].free if where == "cuda" and machine.gpus() else free_bytes("cpu")

    def need(dtype: str, rows: int) -> int:
        compute = dtype if dtype in ("float32", "bfloat16", "float16") else "bfloat16"
        return weight_bytes(config, dtype) + working_bytes(config, rows, canvas, compute, setup.gen_length)

    weights, total = weight_bytes(config, kind), need(kind, setup.batch_size)
    says = (
        f"{kind} on {where}: weights {weights / GB:.1f} GB, with batch {setup.batch_size} of {canvas} tokens "
        f"{total / GB:.1f} GB at most; {have / GB:.1f} GB are free"
    )
    if total <= have:
        return Finding(f"{name} memory", "ok", says)
    for rows in dict.fromkeys((setup.batch_size, 4, 1)):
        for dtype in (kind, "bfloat16", "int8", "nf4"):
            if rows <= setup.batch_size and need(dtype, rows) <= have:
                return Finding(f"{name} memory", "missing", says, f"--batch-size {rows} --dtype {dtype}")
    return Finding(f"{name} memory", "missing", says, "a larger machine, or --suite tiny_a2d, or --suite mini")
