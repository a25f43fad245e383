"""From a seed to the leaderboard: the stages of `harness regenerate`, each a command one could type."""

from harness.regenerate.ledger import Ledger, Stage
from harness.regenerate.plan import stages
from harness.regenerate.profiles import PROFILES, Profile

__all__ = ["PROFILES", "Ledger", "Profile", "Stage", "stages"]
