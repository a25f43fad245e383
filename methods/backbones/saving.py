"""Write a backbone as a checkpoint folder in the hub's own naming, so that it opens elsewhere too."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import torch

from methods.backbones.backbone import Backbone
from methods.backbones.files import INDEX, SINGLE
from methods.backbones.loading import pick_dtype
from methods.backbones.tensor_names import expected, to_hub

SHARD_BYTES = 5_000_000_000


def save(
    backbone: Backbone, folder: str | Path, dtype: str | torch.dtype | None = None, *, shard_bytes: int = SHARD_BYTES
) -> Path:
    """Write config.json, safetensors (sharded above `shard_bytes`) and the tokenizer's files into `folder`.

    dtype: storage dtype, None to keep the model's. Tensors carry the published names of the architecture.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    kind = stored_dtype(backbone, dtype)
    state = backbone.model.state_dict()
    names = list(expected(backbone.config))
    sizes = {name: state[name].numel() * kind.itemsize for name in names}
    groups: list[list[str]] = [[]]
    free = shard_bytes
    for name in names:
        if groups[-1] and sizes[name] > free:
            groups.append([])
            free = shard_bytes
        groups[-1].append(name)
        free -= sizes[name]
    config = dict(backbone.config.hub) | _ids(backbone) | {"torch_dtype": str(kind).removeprefix("torch.")}
    (folder / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    _write(folder, groups, state, kind, backbone.config.arch)
    if backbone.tokenizer is not None:
        backbone.tokenizer.save_pretrained(str(folder))
    return folder


def stored_dtype(backbone: Backbone, dtype: str | torch.dtype | None) -> torch.dtype:
    """The number format `save` writes; raises MethodsUsageError for an unknown name."""
    return backbone.dtype if dtype is None else pick_dtype(dtype, torch.device("cpu"))


def _write(folder: Path, groups: list[list[str]], state: dict[str, Any], kind: torch.dtype, arch: str) -> None:
    from safetensors.torch import save_file

    for old in folder.glob("model*.safetensors*"):
        old.unlink()
    index: dict[str, str] = {}
    for number, group in enumerate(groups, start=1):
        file = SINGLE if len(groups) == 1 else f"model-{number:05d}-of-{len(groups):05d}.safetensors"
        tensors = {to_hub(name, arch): state[name].detach().to("cpu", kind).contiguous() for name in group}
        save_file(tensors, str(folder / file), metadata={"format": "pt"})
        shutil.copymode(folder / "config.json", folder / file)  # the library writes files that only their owner reads
        index |= dict.fromkeys(tensors, file)
    if len(groups) > 1:
        text = json.dumps({"metadata": {}, "weight_map": index}, indent=2, sort_keys=True)
        (folder / INDEX).write_text(text + "\n", encoding="utf-8")


def _ids(backbone: Backbone) -> dict[str, Any]:
    """Mask, padding and every id that ends an answer, where the config does not hold them yet."""
    special, config = backbone.special, backbone.config.hub
    ids = {"mask_token_id": special.mask, "pad_token_id": special.pad, "eos_token_id": special.eos[0]}
    added: dict[str, Any] = {
        name: token for name, token in ids.items() if token is not None and config.get(name) is None
    }
    if len(special.eos) > 1 and config.get("eos_token_id") != list(special.eos):
        added["eos_token_id"] = list(special.eos)
    return added
