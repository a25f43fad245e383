"""A sandbox for generated code: `check(candidate, test, entry_point)` says what happened, and cannot be lied to.

The tested code and the test run in two confined processes that exchange only plain data; docs/sandbox.md tells what
this keeps out and what it does not.
"""

from __future__ import annotations

from tasks.sandbox.confine import available
from tasks.sandbox.pool import check_many
from tasks.sandbox.run import check
from tasks.sandbox.verdict import OUTCOMES, Verdict

__all__ = ["OUTCOMES", "Verdict", "available", "check", "check_many"]
