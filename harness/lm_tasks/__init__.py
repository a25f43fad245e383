"""The mini suite's tasks under lm-eval's own command line: `--tasks mini_gsm8k`, mini_math, mini_humaneval, mini_mbpp.

`python -m harness.lm_eval` puts this folder on lm-eval's include path unless another one is given.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tasks import data, protocols
from tasks.lm_task import RowsTask, config_of

FOLDER = Path(__file__).parent


class MiniTask(RowsTask):
    """The generated rows under the mini protocol; the part after `mini_` names the task."""

    def __init__(self, config: dict[str, Any]) -> None:
        protocol = protocols.get("mini/" + config["task"].removeprefix("mini_"))
        super().__init__(config_of(protocol), data.read(protocol.task, data.Source("mini")))
