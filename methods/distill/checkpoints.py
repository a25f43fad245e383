"""Checkpoints of an unfinished training: which are complete, and how long the run has taken so far."""

from __future__ import annotations

import json
import shutil
import sys
import time
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

COMPLETE = "complete.json"


class Watch(TrainerCallback):
    """Marks complete checkpoints and prints one line per log entry to stderr."""

    def __init__(self) -> None:
        self.began, self.first = time.perf_counter(), 0
        self.before = (0.0, 0.0)  # wall and CPU seconds of earlier, killed processes
        self.wall, self.cpu = time.perf_counter(), time.process_time()

    def spent(self) -> tuple[float, float]:
        """Wall and CPU seconds of this run so far, killed processes included up to their last checkpoint."""
        wall, cpu = time.perf_counter() - self.wall, time.process_time() - self.cpu
        return self.before[0] + wall, self.before[1] + cpu

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Remember where this process started, for the time left."""
        self.began, self.first = time.perf_counter(), state.global_step

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Mark the checkpoint just written; a killed run resumes from the newest marked one."""
        if state.is_world_process_zero:
            folder = Path(args.output_dir) / f"checkpoint-{state.global_step}"
            (folder / COMPLETE).write_text(json.dumps({"step": state.global_step, "spent": self.spent()}))

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
        """One line: step, loss, parts, time left."""
        if not state.is_world_process_zero or not logs or "loss" not in logs:
            return
        done = state.global_step - self.first
        left = (time.perf_counter() - self.began) / max(done, 1) * (state.max_steps - state.global_step)
        hidden = ("epoch", "learning_rate", "grad_norm")
        parts = " ".join(f"{key} {value:.4g}" for key, value in logs.items() if key not in hidden)
        line = f"step {state.global_step}/{state.max_steps}  {parts}  {left / 60:.1f} min left"
        print(line, file=sys.stderr, flush=True)


def last_good(folder: Path) -> Path | None:
    """The newest checkpoint that was written completely."""
    marked = [mark.parent for mark in folder.glob(f"checkpoint-*/{COMPLETE}")]
    return max(marked, key=lambda path: int(path.name.rpartition("-")[2]), default=None)


def drop_torn(folder: Path) -> None:
    """Delete checkpoints that a kill left half written."""
    for path in folder.glob("checkpoint-*"):
        if not (path / COMPLETE).exists():
            shutil.rmtree(path)
