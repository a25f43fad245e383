"""Load a checkpoint folder or hub id; make a random one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from methods.backbones import files, special
from methods.backbones.backbone import Backbone
from methods.backbones.build import build_model, check_direction, refresh_buffers
from methods.backbones.names import expected, to_module
from methods.backbones.shape import read_shape
from methods.errors import MethodsError, unknown

DTYPES = {
    "float32": torch.float32,
    "fp32": torch.float32,
    "bfloat16": torch.bfloat16,
    "bf16": torch.bfloat16,
    "float16": torch.float16,
    "fp16": torch.float16,
}


def pick_device(device: str | torch.device) -> torch.device:
    """`auto` is CUDA where there is one, else the CPU."""
    if str(device) != "auto":
        return torch.device(device)
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def pick_dtype(dtype: str | torch.dtype, device: torch.device) -> torch.dtype:
    """`auto` is float32 on the CPU and bfloat16 elsewhere. Raises MethodsUsageError for an unknown name."""
    if isinstance(dtype, torch.dtype):
        return dtype
    if dtype == "auto":
        return torch.float32 if device.type == "cpu" else torch.bfloat16
    if dtype not in DTYPES:
        raise unknown("dtype", dtype, ["auto", *DTYPES])
    return DTYPES[dtype]


def load(
    source: str | Path,
    *,
    device: str | torch.device = "auto",
    dtype: str | torch.dtype = "auto",
    adapter: str | Path | None = None,
    revision: str | None = None,
    attention: str = "sdpa",
) -> Backbone:
    """The checkpoint at `source`, a folder or a hub id (`name@revision`), ready to decode.

    Weights are read by name and shape against the config; no remote code is run. The attention's direction
    is tested. Raises MethodsError naming file and tensor for anything that does not fit.
    """
    folder = files.locate(source, revision)
    config = files.read_config(folder)
    shape = read_shape(config, str(folder / "config.json"))
    place = pick_device(device)
    kind = pick_dtype(dtype, place)
    with torch.device("meta"):
        model = build_model(shape, attention)
    state = {}
    for name, tensor in files.tensors(folder, expected(shape), lambda name: to_module(name, shape.arch)):
        state[name] = tensor.to(place, kind)
    model.load_state_dict(state, assign=True, strict=not shape.tied)
    model.tie_weights()
    refresh_buffers(model, place)
    model.eval().requires_grad_(False)
    check_direction(model, shape, str(folder))
    return Backbone(
        shape,
        model,
        special.resolve(shape.arch, shape.vocab, config, folder),
        tokenizer=load_tokenizer(folder),
        fingerprint=files.fingerprint(folder),
        folder=folder,
    )


def create(
    config: Mapping[str, Any],
    seed: int = 0,
    *,
    device: str | torch.device = "cpu",
    dtype: str | torch.dtype = "float32",
    attention: str = "sdpa",
) -> Backbone:
    """A backbone with random weights from a hub-style config (`model_type` llada, Dream, qwen2, llama, ...)."""
    shape = read_shape(config, "config")
    place = pick_device(device)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = build_model(shape, attention)
    model.to(place, pick_dtype(dtype, place)).eval().requires_grad_(False)
    check_direction(model, shape, "config")
    return Backbone(shape, model, special.resolve(shape.arch, shape.vocab, config))


def load_tokenizer(folder: Path) -> Any:
    """transformers' tokenizer of the folder, None when it holds none. Never runs code from the folder."""
    if not any((folder / name).is_file() for name in ("tokenizer.json", "tokenizer_config.json", "vocab.json")):
        return None
    from transformers import AutoTokenizer, PreTrainedTokenizerFast

    try:
        if (folder / "tokenizer.json").is_file():
            return PreTrainedTokenizerFast.from_pretrained(str(folder))
        return AutoTokenizer.from_pretrained(str(folder), trust_remote_code=False)
    except Exception as error:
        raise MethodsError(f"The tokenizer files in {folder} do not load: {error}") from error
