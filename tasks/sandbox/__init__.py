"""A sandbox for generated code: `check(candidate, test, entry_point)` says what happened, whatever the code does.

The tested code and the test run in two confined processes that exchange only plain data; docs/sandbox.md states what
this keeps out and what it does not.
"""

from __future__ import annotations

from tasks.sandbox.confine import available
from tasks.sandbox.run import check
from tasks.sandbox.verdict import OUTCOMES, Verdict

__all__ = ["OUTCOMES", "Verdict", "available", "check"]
