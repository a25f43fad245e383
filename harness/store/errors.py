"""What can be wrong with a run folder: one sentence naming the file and the way out."""

from __future__ import annotations

from harness.errors import UserError


class StoreError(UserError):
    """A run folder cannot be read or written (exit code 1)."""


class BusyError(StoreError):
    """Another process is writing this run."""
