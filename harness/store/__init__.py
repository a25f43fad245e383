"""The store: run folders that survive anything, and the DataFrames that reports read. No torch in here.

>>> import harness
>>> runs, points, samples = harness.load_runs("results/runs")
"""

from typing import TYPE_CHECKING, Any

from harness.errors import BusyError, StoreError
from harness.store.find import RUNS, find_run, find_runs
from harness.store.folder import RunFolder
from harness.store.identity import run_id
from harness.store.merge import merge
from harness.store.schema import SCHEMA_VERSION

if TYPE_CHECKING:
    from harness.store.dataframes import Runs, load_runs

__all__ = [
    "RUNS",
    "SCHEMA_VERSION",
    "BusyError",
    "RunFolder",
    "Runs",
    "StoreError",
    "find_run",
    "find_runs",
    "load_runs",
    "merge",
    "run_id",
]


def __getattr__(name: str) -> Any:
    if name in ("Runs", "load_runs"):  # pandas takes as long to import as all the rest of `harness ls`
        from harness.store import dataframes

        return getattr(dataframes, name)
    raise AttributeError(f"module 'harness.store' has no attribute {name!r}")
