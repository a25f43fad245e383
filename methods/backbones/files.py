"""A checkpoint folder on disk: its config, its safetensors files, its content hash.

Everything that can be wrong with the files is found here and reported with file and tensor name. torch is
imported only where tensors are read, so that checks and the fingerprint answer fast.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from methods.backbones.safetensors_header import FLOATS, header, shown
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
    """The safetensors files of a folder, in order.

    Raises MethodsError naming a shard that is not there, or an index that names anything but files of this folder.
    """
    if (folder / SINGLE).is_file():
        return [folder / SINGLE]
    index = read_json(folder / INDEX)
    if not index:
        raise MethodsError(f"{folder} holds neither {SINGLE} nor {INDEX}.")
    names = index.get("weight_map")
    if not isinstance(names, dict) or not names:
        raise MethodsError(f"{folder / INDEX}: weight_map should name a file for every tensor; download it again.")
    for name in names.values():
        if not isinstance(name, str) or Path(name).name != name or not name.endswith(".safetensors"):
            raise MethodsError(
                f"{folder / INDEX}: {shown(ascii(name))} is not the name of a safetensors file in this folder."
            )
    paths = [folder / name for name in sorted(set(names.values()))]
    for path in paths:
        if not path.is_file():
            raise MethodsError(f"The shard {path} is named in {INDEX} but is not there; download it again.")
    return paths


def plan(
    folder: Path, wanted: Mapping[str, tuple[int, ...]], rename: Callable[[str], str | None]
) -> dict[str, tuple[Path, str]]:
    """Module name -> (file, the file's name) of every wanted tensor, from the headers alone.

    Raises MethodsError for a missing, superfluous or repeated tensor, a wrong shape or number format, or a damaged
    file.
    """
    found: dict[str, tuple[Path, str]] = {}
    for path in shards(folder):
        for name, entry in header(path).items():
            ours = rename(name)
            if ours is None or ours not in wanted:
                if ours == "lm_head.weight":  # tied: a copy of the embedding
                    continue
                raise MethodsError(
                    f"{path}: the tensor {shown(name)} is not part of this architecture (see config.json)."
                )
            if entry["dtype"] not in FLOATS:
                raise MethodsError(
                    f"{path}: the tensor {shown(name)} is stored as {entry['dtype']}; weights are {', '.join(FLOATS)}."
                )
            if ours in found:
                raise MethodsError(
                    f"{path}: the tensor {shown(name)} is in {found[ours][0].name} too; delete the stray file."
                )
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
    places: Mapping[str, tuple[Path, str]],
) -> Iterator[tuple[str, Any]]:
    """Every tensor of `places` (from `plan`) as (module name, CPU tensor).

    Raises MethodsError for a file that the safetensors library refuses.
    """
    from safetensors import SafetensorError, safe_open

    for path in dict.fromkeys(path for path, _ in places.values()):
        try:
            with safe_open(str(path), framework="pt") as file:
                for ours, (where, name) in places.items():
                    if where == path:
                        yield ours, file.get_tensor(name)
        except SafetensorError as error:
            raise MethodsError(f"{path} does not load ({error}); download it again.") from None


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
