"""Runs groups one after another on this machine: each checkpoint loaded once, a failure never stops the rest."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from harness.sweep.grid import Group

if TYPE_CHECKING:
    from harness.runner import ModelCache
    from harness.runner.execute import Event, Outcome
    from harness.sweep.progress import Board


LOCK_WAIT = 1.0  # seconds: longer than a step that only looks, shorter than one that decodes


class Local:
    """The executor of one machine. Calling it runs groups in order and returns their outcomes in that order."""

    def __init__(self) -> None:
        from harness.runner import ModelCache

        self._models = ModelCache(keep=1)

    def __call__(self, groups: Sequence[Group], board: Board) -> list[Outcome]:
        """Run every group; KeyboardInterrupt passes through with all finished samples stored."""
        return [outcome for group in groups for outcome in run_group(group, board, self._models)]

    def close(self) -> None:
        """Nothing to release."""


class Listener(Protocol):
    """Receives a run's samples and its end: the progress board, or a Ray worker's event forwarder."""

    def event(self, event: Event) -> None: ...

    def ends(self, outcome: Outcome) -> None: ...


def run_group(group: Group, board: Listener, models: ModelCache) -> list[Outcome]:
    """One batch for the group; where it broke down, its unfinished runs are tried again one by one."""
    outcomes = _execute(group, board, models)
    if len(group.specs) > 1 and any(map(_broke_down, outcomes)):
        # one run that stops the decoder takes its batch with it: the others must not share its fate
        outcomes = [
            _execute(Group(group.checkpoint, (outcome.spec,)), board, models)[0] if _broke_down(outcome) else outcome
            for outcome in outcomes
        ]
    for outcome in outcomes:
        board.ends(outcome)
    return outcomes


def _execute(group: Group, board: Listener, models: ModelCache) -> list[Outcome]:
    from harness.runner import execute
    from harness.runner.execute import Outcome

    try:
        return execute(group.specs, progress=board.event, model_cache=models, lock_wait=LOCK_WAIT)
    except Exception as error:
        words = str(error) if hasattr(error, "exit_code") else traceback.format_exc()
        return [Outcome(spec, "failed", error=words, cause=error) for spec in group.specs]


def _broke_down(outcome: Outcome) -> bool:
    """Whether a run failed perhaps through its neighbour's fault: while decoding, or without naming a way out."""
    if outcome.state != "failed" or outcome.cause is None:
        return False
    return outcome.folder is not None or not hasattr(outcome.cause, "exit_code")
