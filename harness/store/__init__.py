"""The store: run folders that survive anything, and the DataFrames that reports read. No torch in here.

>>> import harness
>>> runs, points, samples = harness.load_runs("results/runs")
"""

from harness.store.errors import BusyError, StoreError
from harness.store.find import RUNS, find_run, find_runs
from harness.store.folder import RunFolder
from harness.store.frames import Runs, load_runs
from harness.store.identity import code_version, run_id
from harness.store.merge import merge
from harness.store.schema import SCHEMA_VERSION

__all__ = [
    "RUNS",
    "SCHEMA_VERSION",
    "BusyError",
    "RunFolder",
    "Runs",
    "StoreError",
    "code_version",
    "find_run",
    "find_runs",
    "load_runs",
    "merge",
    "run_id",
]
