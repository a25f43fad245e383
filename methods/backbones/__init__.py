"""Backbones: the transformers under the decoders, their checkpoints on disk and their tokenizers.

Nothing heavy is imported until a name is used, so that `methods.backbones.config` and its torch-free
neighbours can answer `harness doctor` without torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from methods.backbones.backbone import Backbone
    from methods.backbones.kv_store import KVStore
    from methods.backbones.loading import create, load
    from methods.backbones.saving import save
    from methods.backbones.special import Special

__all__ = ["Backbone", "KVStore", "Special", "create", "load", "save"]

_HOMES = {
    "Backbone": "backbone",
    "KVStore": "kv_store",
    "Special": "special",
    "create": "loading",
    "load": "loading",
    "save": "saving",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"methods.backbones.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'methods.backbones' has no attribute {name!r}")
