"""The training objectives by the name a recipe gives them."""

from __future__ import annotations

from typing import Any

from methods.distill.objectives.base import Objective, Tokens
from methods.distill.objectives.blocks import BlockDiffusion, BlockSettings
from methods.distill.objectives.certainty import CertaintyForcing, CertaintySettings
from methods.distill.objectives.forcing import Forcing, ForcingSettings
from methods.distill.objectives.temporal import Temporal, TemporalSettings

# name in the recipe -> (settings, objective, does it need a frozen teacher)
OBJECTIVES: dict[str, tuple[Any, Any, bool]] = {
    "certainty": (CertaintySettings, CertaintyForcing, False),
    "temporal": (TemporalSettings, Temporal, True),
    "forcing": (ForcingSettings, Forcing, True),
    "block_diffusion": (BlockSettings, BlockDiffusion, False),
}

__all__ = ["OBJECTIVES", "Objective", "Tokens"]
