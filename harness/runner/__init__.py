"""The runner: from a RunSpec to a finished run folder.

    >>> from harness.runner import RunSpec, execute
    >>> outcome, = execute([RunSpec(method="tad_speed", task="gsm8k", limit=8)])
    >>> outcome.summary["tpf"]

`choose` and `prepare` find every mistake before a folder is touched, one decode serves all specs that share a model
and a task, each finished sample is scored and stored at once, and lm-eval's own `simple_evaluate` has the last word on
the accuracy.
"""

from harness.runner.execute import Event, Outcome, execute
from harness.runner.job import choose, prepare
from harness.runner.models import ModelCache
from harness.runner.spec import RunSpec

__all__ = ["Event", "ModelCache", "Outcome", "RunSpec", "choose", "execute", "prepare"]
