"""Runs that another process is writing: two people can sweep into one store.

A run that is busy is passed over, so that two sweeps of one plan share its work instead of queueing behind each other.
When nothing else is left, the sweep waits for the busy ones: the other process finishes them, and they are shown as
stored, or it dies and they are continued here. No lock is held while waiting.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from harness.store import RunFolder
from harness.sweep.grid import Group, groups, run_text
from harness.sweep.progress import Board

if TYPE_CHECKING:
    from harness.runner.execute import Outcome

Execute = Callable[[Sequence[Group], Board], "list[Outcome]"]


def waiting(execute: Execute) -> Execute:
    """`execute`, followed by a wait for the runs that were busy; outcomes in the order of the groups."""

    def patient(asked: Sequence[Group], board: Board) -> list[Outcome]:
        board.waits = True
        found = execute(asked, board)
        while busy := [outcome for outcome in found if outcome.busy]:
            first = busy[0]
            board.note(f"waiting for {run_text(first.spec)}: {first.error} (--no-wait fails it at once)")
            assert first.busy is not None
            RunFolder(first.busy).wait_until_free()
            again = execute(groups(outcome.spec for outcome in busy), board)
            new = {repr(outcome.spec): outcome for outcome in again}
            found = [new.get(repr(outcome.spec), outcome) for outcome in found]
        return found

    return patient
