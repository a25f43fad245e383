"""From a seed to the leaderboard: the stages of `harness regenerate`, each a command one could type."""

from harness.regenerate.execute import run
from harness.regenerate.plan import stages
from harness.regenerate.profiles import PROFILES, Profile
from harness.regenerate.records import Records
from harness.regenerate.stage import Stage

__all__ = ["PROFILES", "Profile", "Records", "Stage", "run", "stages"]
