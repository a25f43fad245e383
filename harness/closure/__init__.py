"""What code decides a result: the import closure of the functions that make it, and a digest of it. No torch in here.

Run ids and the stages of `harness regenerate` are keyed by such digests. `roots` names where the closures begin and
what they leave out.
"""

from harness.closure.walk import Closure

__all__ = ["Closure"]
