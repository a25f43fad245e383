"""Values of a config file, checked: whole numbers, numbers and flags. No torch here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from methods.backbones.safetensors_header import shown
from methods.errors import MethodsError


def whole(config: Mapping[str, Any], key: str, where: str, default: int | None = None, high: int = 2**28) -> int:
    """The whole number under `key`, from 1 to `high`; `default` (if any) when it is absent or null.

    Raises MethodsError naming `where`, the key and its value, also when it is absent and has no default.
    """
    value = config.get(key)
    if value is None:
        if default is None:
            raise MethodsError(f"{where}: the key {key!r} is missing; the checkpoint is incomplete or of another kind.")
        return default
    if type(value) is not int or not 1 <= value <= high:
        raise MethodsError(f"{where}: {key}={shown(ascii(value))} must be a whole number from 1 to {high}.")
    return value


def number(config: Mapping[str, Any], key: str, where: str, default: float | None = None) -> float:
    """The positive, finite number under `key`; `default` (if any) when it is absent or null. Raises as `whole` does."""
    value = config.get(key)
    if value is None:
        if default is None:
            raise MethodsError(f"{where}: the key {key!r} is missing; the checkpoint is incomplete or of another kind.")
        return default
    if type(value) not in (int, float) or not 0 < value < float("inf"):
        raise MethodsError(f"{where}: {key}={shown(ascii(value))} must be a number above 0.")
    return float(value)


def flag(config: Mapping[str, Any], key: str, where: str) -> bool:
    """The truth value under `key`, false when it is absent or null. Raises MethodsError for anything else."""
    value = config.get(key)
    if value not in (None, True, False):
        raise MethodsError(f"{where}: {key}={shown(ascii(value))} must be true or false.")
    return bool(value)
