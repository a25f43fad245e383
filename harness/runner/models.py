"""Loaded backbones, each once: a sweep's settings share the model in memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from harness.text import Reader


@dataclass(frozen=True)
class ModelKey:
    """What makes two specs share a model: checkpoint, adapter, device, number format and whether it is compiled."""

    source: str
    adapter: str | None
    device: str
    dtype: str
    compile: bool = False


class ModelCache:
    """Backbones by ModelKey, at most `keep` of them; the least recently used one is dropped."""

    def __init__(self, keep: int = 1) -> None:
        self.keep = keep
        self._models: dict[ModelKey, Any] = {}

    def get(self, key: ModelKey) -> Any:
        """The backbone of `key`, loaded when it is not here. Raises MethodsError when it cannot be."""
        backbone = self._models.pop(key, None)
        if backbone is None:
            while len(self._models) >= self.keep:
                self._models.pop(next(iter(self._models)))
            backbone = self._load(key)
        self._models[key] = backbone
        return backbone

    def _load(self, key: ModelKey) -> Any:
        from methods.backbones import load

        return load(key.source, device=key.device, dtype=key.dtype, adapter=key.adapter, compiled=key.compile)


def reader_of(backbone: Any, where: str) -> Reader:
    """The reader of a backbone's outputs. Raises UserError when the checkpoint has no tokenizer."""
    from harness.errors import UserError

    if backbone.tokenizer is None:
        raise UserError(f"{where} has no tokenizer (tokenizer.json), so prompts cannot be read; `harness decode` can.")
    return Reader(backbone.tokenizer, backbone.special, backbone.arch)
