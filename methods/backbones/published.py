"""Configs of published checkpoints, so that memory and tensor shapes are known before anything is downloaded.

Each file in `published/` holds hub ids, the config's keys that fix the tensor shapes, and the number of parameters that
the model's hub page states; a test derives the number from the config again. No torch here.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from methods.backbones.config import ModelConfig, model_config
from methods.backbones.special import read_json

FOLDER = Path(__file__).parent / "published"


@cache
def entries() -> dict[str, dict[str, Any]]:
    """Every published config by short name (`llada_8b`), with `hub`, `parameters` and `config`."""
    return {path.stem: read_json(path) for path in sorted(FOLDER.glob("*.json"))}


def find(hub_id: str) -> ModelConfig | None:
    """The config of a hub checkpoint known here (`@revision` ignored), else None."""
    name = hub_id.removeprefix("hub:").partition("@")[0]
    for key, entry in entries().items():
        if name in entry["hub"]:
            return model_config(entry["config"], key)
    return None
