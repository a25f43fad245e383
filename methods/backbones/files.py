"""A checkpoint folder on disk: its config, its safetensors files, its content hash.

Everything that can be wrong with the files is found here and said with file and tensor name. torch is
imported only where tensors are read, so that checks and the fingerprint answer fast.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import struct
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from methods.backbones.special import read_json
from methods.errors import MethodsError

SINGLE, INDEX = "model.safetensors", "model.safetensors.index.json"
BESIDE = (  # what `special.resolve` and the tokenizer read
    *("generation_config.json", "tokenizer.json", "tokenizer_config.json", "added_tokens.json", "chat_template.jinja"),
    *("special_tokens_map.json", "vocab.json", "merges.txt", "tokenizer.model"),
)


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
            raise MethodsError(
                f"{path} is not a safetensors file (its header is damaged); download it again."
            ) from None
    entries.pop("__metadata__", None)
    end = max((entry["data_offsets"][1] for entry in entries.values()), default=0)
    if size < 8 + length + end:
        raise MethodsError(f"{path} is truncated: {size} bytes of {8 + length + end}; download it again.")
    return entries


def plan(
    folder: Path, wanted: Mapping[str, tuple[int, ...]], rename: Callable[[str], str | None]
) -> dict[str, tuple[Path, str]]:
    """Module name -> (file, the file's name) of every wanted tensor, from the headers alone.

    Raises MethodsError for a missing or superfluous tensor, a wrong shape or a damaged file.
    """
    found: dict[str, tuple[Path, str]] = {}
    for path in shards(folder):
        for name, entry in header(path).items():
            ours = rename(name)
            if ours is None or ours not in wanted:
                if ours == "lm_head.weight":  # tied: a copy of the embedding
                    continue
                raise MethodsError(f"{path}: the tensor {name} is not part of this architecture (see config.json).")
            if tuple(entry["shape"]) != wanted[ours]:
                raise MethodsError(
                    f"{path}: the tensor {name} has shape {entry['shape']}, config.json asks for {list(wanted[ours])}."
                )
            found[ours] = (path, name)
    missing = [name for name in wanted if name not in found]
    if missing:
        raise MethodsError(f"{folder}: {len(missing)} tensors are missing, the first is {missing[0]}.")
    return found


def tensors(
    folder: Path, wanted: Mapping[str, tuple[int, ...]], rename: Callable[[str], str | None]
) -> Iterator[tuple[str, Any]]:
    """Every wanted tensor as (module name, CPU tensor), after `plan` has checked all of them."""
    from safetensors import safe_open

    places = plan(folder, wanted, rename)
    for path in dict.fromkeys(path for path, _ in places.values()):
        with safe_open(str(path), framework="pt") as file:
            for ours, (where, name) in places.items():
                if where == path:
                    yield ours, file.get_tensor(name)


def fingerprint(folder: Path) -> str:
    """SHA-256 over config.json and the weight files' content, 16 hex digits; for the rest `tokenizer_fingerprint`.

    The hash of a large file is remembered by path, size and modification time under the user's cache folder, so
    that a 16 GB checkpoint is read for it once.
    """
    digest = hashlib.sha256((folder / "config.json").read_bytes())
    for path in shards(folder):
        digest.update(bytes.fromhex(file_hash(path)))
    return digest.hexdigest()[:16]


def tokenizer_fingerprint(folder: Path) -> str:
    """SHA-256 over the names and contents of the files beside the weights that decide prompts and stopping.

    16 hex digits, "" when the folder holds none of them: tokenizer, chat template, special ids.
    """
    there = [folder / name for name in BESIDE if (folder / name).is_file()]
    digest = hashlib.sha256()
    for path in there:
        digest.update(f"{path.name} {file_hash(path)}\n".encode())
    return digest.hexdigest()[:16] if there else ""


def adapter_fingerprint(folder: Path) -> str:
    """SHA-256 over an adapter's config and weights, 16 hex digits."""
    digest = hashlib.sha256((folder / "adapter_config.json").read_bytes())
    digest.update(bytes.fromhex(file_hash(folder / "adapter_model.safetensors")))
    return digest.hexdigest()[:16]


def cache_folder() -> Path:
    """Where hashes of large files are remembered: `$XDG_CACHE_HOME/dllm-harness` or `~/.cache/dllm-harness`."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "dllm-harness"


def file_hash(path: Path, remember_above: int = 64 << 20) -> str:
    """SHA-256 of a file's content, 64 hex digits; remembered for files larger than `remember_above` bytes."""
    stat = path.stat()
    key = hashlib.sha256(f"{path.resolve()}|{stat.st_size}|{stat.st_mtime_ns}".encode()).hexdigest()[:32]
    note = cache_folder() / "hashes" / key
    if stat.st_size > remember_above and note.is_file():
        known = note.read_text().strip()
        if len(known) == 64:
            return known
    with path.open("rb") as file:
        value = hashlib.file_digest(file, "sha256").hexdigest()
    if stat.st_size > remember_above:
        with contextlib.suppress(OSError):  # a read-only home costs time, nothing else
            note.parent.mkdir(parents=True, exist_ok=True)
            spare = note.with_suffix(f".{os.getpid()}")
            spare.write_text(value)
            spare.replace(note)
    return value
