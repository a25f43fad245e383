"""A checkpoint folder on disk: its config, its safetensors files, its content hash.

Everything that can be wrong with the files is found here and said with file and tensor name. torch is
imported only where tensors are read, so that checks and the fingerprint answer fast.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from methods.backbones.special import read_json
from methods.errors import MethodsError

SINGLE, INDEX = "model.safetensors", "model.safetensors.index.json"


def locate(source: str | Path, revision: str | None = None) -> Path:
    """The folder of a checkpoint. Raises MethodsError when there is none."""
    folder = Path(source).expanduser()
    if folder.is_dir():
        return folder
    from methods.backbones.hub import download

    return download(str(source), revision)


def read_config(folder: Path) -> dict[str, Any]:
    """`config.json`. Raises MethodsError when it is missing."""
    if not (folder / "config.json").is_file():
        raise MethodsError(f"{folder} holds no config.json, so it is not a checkpoint folder.")
    return read_json(folder / "config.json")


def shards(folder: Path) -> list[Path]:
    """The safetensors files of a folder, in order. Raises MethodsError naming a shard that is not there."""
    if (folder / SINGLE).is_file():
        return [folder / SINGLE]
    index = read_json(folder / INDEX)
    if not index:
        raise MethodsError(f"{folder} holds neither {SINGLE} nor {INDEX}.")
    paths = [folder / name for name in sorted(set(index.get("weight_map", {}).values()))]
    for path in paths:
        if not path.is_file():
            raise MethodsError(f"The shard {path} is named in {INDEX} but is not there; download it again.")
    return paths


def header(path: Path) -> dict[str, Any]:
    """Names, dtypes and shapes in a safetensors file. Raises MethodsError when it is truncated or no such file."""
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
        if not 2 <= length <= size - 8:
            raise MethodsError(f"{path} is truncated or not a safetensors file ({size} bytes); download it again.")
        try:
            entries = json.loads(file.read(length))
        except ValueError:
            raise MethodsError(f"{path} is not a safetensors file (its header is damaged); download it again.") from None
    entries.pop("__metadata__", None)
    end = max((entry["data_offsets"][1] for entry in entries.values()), default=0)
    if size < 8 + length + end:
        raise MethodsError(f"{path} is truncated: {size} bytes of {8 + length + end}; download it again.")
    return entries


def tensors(
    folder: Path, wanted: Mapping[str, tuple[int, ...]], rename: Callable[[str], str | None]
) -> Iterator[tuple[str, Any]]:
    """Every wanted tensor as (module name, CPU tensor), after all names and shapes were checked.

    Raises MethodsError for a missing or superfluous tensor or a wrong shape, before any tensor is read.
    """
    from safetensors import safe_open

    plan: dict[str, tuple[Path, str]] = {}
    for path in shards(folder):
        for name, entry in header(path).items():
            ours = rename(name)
            if ours not in wanted:
                if ours == "lm_head.weight":  # tied: a copy of the embedding
                    continue
                raise MethodsError(f"{path}: the tensor {name} is not part of this architecture (see config.json).")
            if tuple(entry["shape"]) != wanted[ours]:
                raise MethodsError(
                    f"{path}: the tensor {name} has shape {entry['shape']}, config.json asks for {list(wanted[ours])}."
                )
            plan[ours] = (path, name)
    missing = [name for name in wanted if name not in plan]
    if missing:
        raise MethodsError(f"{folder}: {len(missing)} tensors are missing, the first is {missing[0]}.")
    for path in dict.fromkeys(path for path, _ in plan.values()):
        with safe_open(str(path), framework="pt") as file:
            for ours, (where, name) in plan.items():
                if where == path:
                    yield ours, file.get_tensor(name)


def fingerprint(folder: Path) -> str:
    """SHA-256 over the config and the weight files' bytes, 16 hex digits."""
    digest = hashlib.sha256((folder / "config.json").read_bytes())
    for path in shards(folder):
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:16]
