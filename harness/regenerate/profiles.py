"""How much of everything: `quick` shows that the whole path works, `full` made the committed leaderboard."""

from __future__ import annotations

from dataclasses import dataclass, field

from harness.errors import unknown


@dataclass(frozen=True)
class Profile:
    """Sizes of a regeneration. steps are optimiser steps, problems and limit are counted per task set and per task.

    distil_steps: by recipe, 0 = the recipe's own. points: `harness sweep --points` by method; else the method's own.
    extra_seeds: by recipe, seeds beside the regeneration's own and counted from it, for the spread.
    deltas: values of TAD's delta beside TAD-Quality's, each trained as long as TAD-Quality; together the ablation.
    note: printed above every table of the report.
    """

    name: str
    ar_steps: int
    base_steps: int
    problems: int
    distil_steps: dict[str, int] = field(default_factory=dict)
    limit: int = 500
    points: dict[str, str] = field(default_factory=dict)
    extra_seeds: dict[str, tuple[int, ...]] = field(default_factory=dict)
    deltas: tuple[int, ...] = ()
    note: str = ""

    def steps_of(self, recipe: str) -> int:
        """Steps of a recipe under this profile; 0 = the recipe's own."""
        return self.distil_steps.get(recipe, self.distil_steps.get("all", 0))


ENTROPY, CONFIDENCE = "0,0.1,0.3,0.5,1", "1,0.98,0.9,0.7,0.5"
POINTS = {
    **dict.fromkeys(("multi_block", "multi_block_d3llm", "dparallel", "d3llm", "d3llm_cache"), ENTROPY),
    **dict.fromkeys(("tad_quality", "tad_speed"), ENTROPY),
    **dict.fromkeys(("fast_dllm_prefix", "fast_dllm_dual", "d2f", "fast_dllm_v2"), CONFIDENCE),
    "fast_dllm_factor": "0,0.2,0.5,1,2",
    **dict.fromkeys(("credit", "adablock", "slowfast", "klass"), CONFIDENCE),
    "eb_sampler": "0,0.01,0.1,0.3,1",
    "prophet": "1e9,2,1,0.5,0.25",
    "saber": "1,2,3,4,8",
    "joint_threshold": "1,0.95,0.9,0.7,0.5",
    "wino": "1,0.9,0.8,0.7,0.6",
    "ar_speculative": "0,2,5,10",
}
PROFILES = {
    "quick": Profile(
        name="quick",
        ar_steps=600,
        base_steps=1200,
        problems=320,
        distil_steps={"all": 60, "fast_dllm_v2": 120},
        limit=40,
        points=POINTS,
        note="Quick profile: short trainings and few problems show that the path works, not how methods compare.",
    ),
    "full": Profile(
        name="full",
        ar_steps=1500,
        base_steps=4500,
        problems=1600,
        limit=250,
        points=POINTS,
        extra_seeds={"d3llm": (1, 2), "tad_quality": (1, 2), "tad_speed": (1, 2)},
        deltas=(2, 8, 16),
    ),
}


def profile_of(name: str) -> Profile:
    """The profile called `name`. Raises UsageError naming the known ones."""
    if name not in PROFILES:
        raise unknown("profile", name, PROFILES)
    return PROFILES[name]
