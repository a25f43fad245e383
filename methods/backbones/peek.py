"""The architecture of a checkpoint before its weights are read. No torch here."""

from __future__ import annotations

from methods.backbones import files, hub, published
from methods.backbones.config import model_config
from methods.errors import MethodsError


def known_arch(source: str) -> str | None:
    """The architecture that a checkpoint's config names, downloading nothing.

    None for a hub id that is neither on this machine nor among the published ones, and for what cannot be read:
    loading it says why.
    """
    try:
        kind, place, revision = hub.parse(source)
        if kind == "hub" and (shape := published.find(place)):
            return shape.arch
        folder = hub.cached(place, revision) if kind == "hub" else hub.locate(source)
        return model_config(files.read_config(folder), str(folder / "config.json")).arch if folder else None
    except MethodsError:
        return None
