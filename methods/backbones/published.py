"""Configs of published checkpoints, so that memory and shapes are known before anything is downloaded.

Each file in `published/` holds hub ids, the config's shape-giving keys and the number of parameters that the
model's hub page states; a test derives the number from the config again. No torch here.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from methods.backbones.config import Shape, read_shape
from methods.backbones.special import read_json

FOLDER = Path(__file__).parent / "published"


@cache
def entries() -> dict[str, dict[str, Any]]:
    """Every published config by short name (`llada_8b`), with `hub`, `parameters` and `config`."""
    return {path.stem: read_json(path) for path in sorted(FOLDER.glob("*.json"))}


def find(hub_id: str) -> Shape | None:
    """The shape of a hub checkpoint known here (`@revision` ignored), else None."""
    name = hub_id.removeprefix("hub:").partition("@")[0]
    for key, entry in entries().items():
        if name in entry["hub"]:
            return read_shape(entry["config"], key)
    return None
