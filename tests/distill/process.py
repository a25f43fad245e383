"""A training process for the two-process test: `python -m tests.distill.process OUT RECIPE JSON`."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from methods.distill import dataset, recipe, train
from tests.distill import tiny

SMALL: dict[str, Any] = {
    "steps": 6,
    "batch": 4,
    "micro_batch": 4,
    "save_every": 2,
    "log_every": 1,
    "max_length": 64,
    "precision": "fp32",
}


def job(out: Path, name: str, changes: dict[str, Any]) -> train.Job:
    loaded = recipe.load(name, "mini").with_values(SMALL | changes)
    return train.Job(loaded, out, command="test", source="tiny")


def kill_at(number: int) -> None:
    """Die by SIGKILL when draw `number` is asked for."""
    original = dataset.TrainingDataset.__getitem__

    def mortal(self: Any, index: int) -> Any:
        if index >= number:
            os.kill(os.getpid(), signal.SIGKILL)
        return original(self, index)

    dataset.TrainingDataset.__getitem__ = mortal  # type: ignore[method-assign]


def main() -> None:
    out, name, changes = sys.argv[1:]
    settings = json.loads(changes)
    backbone = tiny.backbone(settings.pop("arch", "llada"))
    train.train(job(Path(out), name, settings), backbone, tiny.trajectories())


if __name__ == "__main__":
    main()
