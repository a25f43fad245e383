"""How much of everything: `quick` shows that the whole path works, `full` made the committed leaderboard."""

from __future__ import annotations

from dataclasses import dataclass, field

from harness.errors import unknown


@dataclass(frozen=True)
class Profile:
    """Sizes of a regeneration. steps are optimiser steps, problems and limit are counted per task set and per task.

    distil_steps: by recipe, 0 = the recipe's own. points: `harness sweep --points`, "" = every method's own.
    extra_seeds: (recipe, seeds) trained once more for the spread; deltas: the ablation of TAD's delta, () = none.
    """

    name: str
    base_steps: int
    ar_steps: int
    problems: int
    distil_steps: dict[str, int] = field(default_factory=dict)
    limit: int = 500
    points: str = ""
    extra_seeds: dict[str, tuple[int, ...]] = field(default_factory=dict)
    deltas: tuple[int, ...] = ()

    def steps_of(self, recipe: str) -> int:
        """Steps of a recipe under this profile; 0 = the recipe's own."""
        return self.distil_steps.get(recipe, self.distil_steps.get("all", 0))


PROFILES = {
    "quick": Profile(
        name="quick",
        base_steps=2500,
        ar_steps=800,
        problems=320,
        distil_steps={"all": 60, "fast_dllm_v2": 120},
        limit=40,
    ),
    "full": Profile(
        name="full",
        base_steps=0,
        ar_steps=1500,
        problems=1600,
        limit=250,
        extra_seeds={"d3llm": (1, 2), "tad_quality": (1, 2), "tad_speed": (1, 2)},
        deltas=(2, 4, 8, 16),
    ),
}


def profile_of(name: str) -> Profile:
    """The profile called `name`. Raises UsageError naming the known ones."""
    if name not in PROFILES:
        raise unknown("profile", name, PROFILES)
    return PROFILES[name]
