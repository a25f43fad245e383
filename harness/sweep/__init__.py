"""The grid of a benchmark: planned before it runs, estimated before it costs, continued after anything.

A plan is a list of `harness.runner.RunSpec`, in the order in which it runs: checkpoint by checkpoint, then method by
method and task by task, so that a model is loaded once and the settings of a method share its batches. Importing this
package imports no torch.
"""

from harness.door import open_door
from harness.sweep.grid import Grid, Group, groups, plan
from harness.sweep.points import Points, parse_points
from harness.sweep.shard import parse_shard, shard

__all__ = ["Grid", "Group", "Points", "groups", "parse_points", "parse_shard", "plan", "shard"]

open_door(__name__)  # harness.sweep(...) is harness.api.sweep(...)
