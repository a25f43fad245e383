"""Load a checkpoint folder or hub id; make a random one. Weights only: no remote code is ever run."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from methods.backbones import adapters, files, hub, memory, quantise, special
from methods.backbones.backbone import Backbone
from methods.backbones.build import ATTENTION, build_model, check_direction, refresh_buffers
from methods.backbones.config import ModelConfig, model_config
from methods.backbones.tensor_names import expected, to_module
from methods.backbones.tokenizer import load_tokenizer
from methods.errors import MethodsError, unknown

DTYPES = {
    "float64": torch.float64,
    "float32": torch.float32,
    "fp32": torch.float32,
    "bfloat16": torch.bfloat16,
    "bf16": torch.bfloat16,
    "float16": torch.float16,
    "fp16": torch.float16,
}


def pick_device(device: str | torch.device) -> torch.device:
    """`auto` is CUDA where there is one, else the CPU. Raises MethodsError for a device this machine lacks."""
    if str(device) == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        place = torch.device(device)
    except RuntimeError:
        raise unknown("device", str(device), ["auto", "cpu", "cuda", "cuda:0"]) from None
    if place.type == "cuda" and not torch.cuda.is_available():
        raise MethodsError(f"--device {device}: this machine has no usable CUDA device; use --device cpu.")
    return place


def pick_dtype(dtype: str | torch.dtype, device: torch.device) -> torch.dtype:
    """`auto` is float32 on the CPU and bfloat16 elsewhere. Raises MethodsUsageError for an unknown name."""
    if isinstance(dtype, torch.dtype):
        return dtype
    if dtype == "auto":
        return torch.float32 if device.type == "cpu" else torch.bfloat16
    if dtype not in DTYPES:
        raise unknown("dtype", dtype, ["auto", *DTYPES, *quantise.KINDS])
    return DTYPES[dtype]


def load(
    source: str | Path,
    *,
    device: str | torch.device = "auto",
    dtype: str | torch.dtype = "auto",
    adapter: str | Path | None = None,
    revision: str | None = None,
    attention: str = "sdpa",
    merge: bool = True,
    compiled: bool = False,
) -> Backbone:
    """The checkpoint at `source` (a folder, `package:NAME` or a hub id `org/name@revision`), ready to decode.

    dtype: auto | float32 | float64 | bfloat16 | float16 | int8 | nf4 (the last two through bitsandbytes).
    adapter: a LoRA folder or hub id; merged into the weights unless `merge` is false or they are quantised.
    attention: sdpa | eager | flash_attention_2 (flash-attn for windows without a mask, SDPA for the rest).
    compiled: through torch.compile, see `Backbone.compile`.
    All names, shapes and sizes are checked before a weight is read, and the attention's direction after.
    Raises MethodsError naming file and tensor for anything that does not fit.
    """
    folder = hub.locate(source, revision)
    raw = files.read_config(folder)
    config = model_config(raw, str(folder / "config.json"))
    if attention not in ATTENTION:
        raise unknown("attention", attention, ATTENTION)
    place = pick_device(device)
    packed = dtype if dtype in quantise.KINDS else None
    kind = pick_dtype("auto" if packed else dtype, place)
    ids = special.resolve(config.arch, config.vocab, raw, folder)
    places = files.plan(folder, expected(config), lambda name: to_module(name, config.arch))
    tokenizer = load_tokenizer(folder, config.vocab)
    memory.require(config, str(packed or str(kind).removeprefix("torch.")), str(place), str(folder))
    model = _read(places, config, place, kind, str(packed) if packed else None, attention)
    mark = files.fingerprint(folder)
    notes: tuple[str, ...] = ()
    if adapter is not None:
        place_of = hub.locate(adapter)
        notes = (str(adapters.load_adapter(model, config.arch, place_of)),)
        if merge and not packed:
            adapters.merge(model)
        mark = hashlib.sha256(f"{mark}+{files.adapter_fingerprint(place_of)}".encode()).hexdigest()[:16]
    model.eval().requires_grad_(False)
    check_direction(model, config, str(folder))
    made = Backbone(config, model, ids, tokenizer=tokenizer, fingerprint=mark, folder=folder, notes=notes)
    if compiled:
        made.compile()
    return made


def _read(
    places: Mapping[str, tuple[Path, str]],
    config: ModelConfig,
    place: torch.device,
    kind: torch.dtype,
    packed: str | None,
    attention: str,
) -> Any:
    """The module with the weights at `places`, built without memory first and filled tensor by tensor."""
    with torch.device("meta"):
        model = build_model(config, attention)
    if packed:
        quantise.swap(model, packed, kind)
    state: dict[str, Any] = {}
    for name, tensor in files.tensors(places):
        if packed and quantise.is_packed(name):
            quantise.put(model, name, tensor.to(kind), packed, place)
        else:
            state[name] = tensor.to(place, kind)
    model.load_state_dict(state, assign=True, strict=not (config.tied or packed))
    model.tie_weights()
    refresh_buffers(model, place)
    return model


def create(
    config: Mapping[str, Any],
    seed: int = 0,
    *,
    device: str | torch.device = "cpu",
    dtype: str | torch.dtype = "float32",
    attention: str = "sdpa",
) -> Backbone:
    """A backbone with random weights from a hub-style config (`model_type` llada, Dream, qwen2, llama, ...)."""
    parsed = model_config(config, "config")
    place = pick_device(device)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = build_model(parsed, attention)
    model.to(place, pick_dtype(dtype, place)).eval().requires_grad_(False)
    check_direction(model, parsed, "config")
    return Backbone(parsed, model, special.resolve(parsed.arch, parsed.vocab, config))
