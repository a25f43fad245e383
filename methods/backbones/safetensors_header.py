"""The header of a safetensors file, read without the tensors and checked before anything trusts it. No torch here.

Format: eight bytes of length, a JSON object of name -> {dtype, shape, data_offsets}, then the tensors' bytes without
gap or overlap (huggingface/safetensors, README "Format").
"""

from __future__ import annotations

import json
import struct
from math import prod
from pathlib import Path
from typing import Any, TypeGuard

from methods.errors import MethodsError

# dtype in a header -> bytes of one value; weights are read from FLOATS alone
ITEM = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U64": 8, "U32": 4, "U16": 2}
ITEM |= {"U8": 1, "BOOL": 1, "F8_E4M3": 1, "F8_E5M2": 1}
FLOATS = ("F64", "F32", "F16", "BF16")
LONGEST = 100_000_000  # bytes; the library's own limit


def shown(name: str) -> str:
    """`name`, from a file, as a message may hold it: control characters escaped, cut after 100."""
    text = name if name.isprintable() else ascii(name)
    return text if len(text) <= 100 else text[:97] + "..."


def header(path: Path) -> dict[str, dict[str, Any]]:
    """Name -> {dtype, shape, data_offsets} of the tensors in a safetensors file.

    Raises MethodsError when the file is truncated or damaged, or is no such file.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
        if not 2 <= length <= min(size - 8, LONGEST):
            raise MethodsError(f"{path} is truncated or not a safetensors file ({size} bytes); download it again.")
        try:
            entries = json.loads(file.read(length))
        except (ValueError, RecursionError):
            raise MethodsError(
                f"{path} is not a safetensors file (its header is damaged); download it again."
            ) from None
    if not isinstance(entries, dict):
        raise MethodsError(f"{path} is not a safetensors file (its header is no table); download it again.")
    entries.pop("__metadata__", None)
    for name, entry in entries.items():
        fault = _fault(entry)
        if fault:
            raise MethodsError(
                f"{path}: the entry of the tensor {shown(name)} is damaged ({fault}); download it again."
            )
    _check_places(path, entries, size - 8 - length)
    return entries


def _fault(entry: Any) -> str:
    """What is wrong with one tensor's entry, "" when nothing is."""
    if not isinstance(entry, dict):
        return "not a table"
    dtype, shape, offsets = entry.get("dtype"), entry.get("shape"), entry.get("data_offsets")
    if not isinstance(dtype, str) or dtype not in ITEM:
        return f"dtype {shown(ascii(dtype))} is not one of {', '.join(ITEM)}"
    if not _wholes(shape):
        return f"shape {shown(ascii(shape))} is not a list of whole numbers"
    if not _wholes(offsets) or len(offsets) != 2 or offsets[0] > offsets[1]:
        return f"data_offsets {shown(ascii(offsets))} is not a pair of places, the first before the second"
    if offsets[1] - offsets[0] != prod(shape) * ITEM[dtype]:
        return f"{offsets[1] - offsets[0]} bytes for shape {shape} of {dtype}"
    return ""


def _wholes(values: Any) -> TypeGuard[list[int]]:
    return isinstance(values, list) and all(type(value) is int and value >= 0 for value in values)


def _check_places(path: Path, entries: dict[str, dict[str, Any]], held: int) -> None:
    """The tensors lie one behind the other, and the file holds all of them."""
    place = 0
    for name, entry in sorted(entries.items(), key=lambda item: item[1]["data_offsets"]):
        first, last = entry["data_offsets"]
        if first != place:
            how = "overlaps the one before" if first < place else "leaves a gap before it"
            raise MethodsError(f"{path}: the tensor {shown(name)} {how} in the file; download it again.")
        place = last
    if place > held:
        raise MethodsError(f"{path} is truncated: {held} bytes of tensors of {place}; download it again.")
