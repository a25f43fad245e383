"""`load_runs`: a store as pandas DataFrames, fast enough for a million samples (benchmarks/store.py).

Each line of `samples.jsonl` is parsed only up to its first long key, in chunks, into typed columns.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from harness.metrics import KINDS
from harness.store.checks import needs, sample_fault
from harness.store.find import RUNS, find_runs
from harness.store.folder import RunFolder
from harness.store.samples import FRAME_END, read_samples
from harness.store.schema import SCHEMA_VERSION

CHUNK = 20_000
Row = dict[str, Any]


class Runs(NamedTuple):
    """A store. `runs`: every run; `points`: every finished run's (TPF, accuracy); `samples`: every finished sample."""

    runs: pd.DataFrame
    points: pd.DataFrame
    samples: pd.DataFrame


TYPES = {
    "doc_id": "int32",
    "prompt_hash": "str",
    "prompt_tokens": "int32",
    "outcome": "category",
    "correct": "bool",
    "stop_reason": "category",
    "nfe": "int32",
    "positions": "int64",
    "tokens": "int32",
    "seconds": "float64",
}
IDENTITY = ("run_id", "suite", "method", "task")
RUN_COLUMNS = (
    *IDENTITY,
    "setting",
    "axis",
    "axis_value",
    "protocol",
    "protocol_version",
    "gen_length",
    "fidelity",
    "seed",
    "checkpoint",
    "checkpoint_fingerprint",
    "tokenizer_fingerprint",
    "data",
    "data_fingerprint",
    "dtype",
    "code_version",
    "started",
)
LATER_COLUMNS = ("label", "eos_policy")  # of both frames; new columns are appended, never inserted
SUMMARY_COLUMNS = (
    "n_samples",
    "metric",
    "accuracy",
    "tokens",
    "forwards",
    "positions",
    "tpf",
    "tpf_sample_mean",
    "tps",
    "decode_seconds",
    "batch_size",
    "device",
    "empty_outputs",
    "truncated",
    "errors",
    "forwards_run",
    "positions_run",
    "tps_reused",
)
POINT_COLUMNS = (
    *("suite", "task", "method", "source", "setting", "axis", "axis_value", "seed", "tpf", "accuracy", "tpf_lo"),
    *("tpf_hi", "acc_lo", "acc_hi", "n_samples", "nominal", "tokens", "forwards", "positions", "tps", "protocol"),
    *("checkpoint", "data", "run_id", *LATER_COLUMNS, "forwards_run", "positions_run", "tps_reused"),
)


def load_runs(dirs: str | os.PathLike[str] | Iterable[str | os.PathLike[str]] = RUNS, *, samples: bool = True) -> Runs:
    """Every run in or below `dirs` (a folder or several) as DataFrames.

    A run found in two places counts once: the finished copy, then the one with more samples.
    `samples=False` leaves the third one empty. The samples' `forwards` is the sum without draft forwards.
    Raises StoreError naming the file for a run that cannot be read, UsageError for a folder that does not exist.
    """
    folders, rows = _each_once(find_runs(dirs))
    columns = [*RUN_COLUMNS, "finished", *SUMMARY_COLUMNS, *_INTERVALS, "path", *LATER_COLUMNS]
    runs = pd.DataFrame(rows, columns=columns)
    points = runs[runs["finished"].astype(bool)].assign(source="run", nominal=False)[list(POINT_COLUMNS)]
    frames = [_samples(folder, row) for folder, row in zip(folders, rows, strict=True)] if samples else []
    return Runs(runs, points.reset_index(drop=True), _concat([frame for frame in frames if len(frame)]))


def _each_once(folders: list[RunFolder]) -> tuple[list[RunFolder], list[Row]]:
    """The folders and their rows; of copies of one run the finished one counts, then the one with more samples."""
    copies: dict[str, list[tuple[RunFolder, Row]]] = {}
    for folder in folders:
        row = _run_row(folder)
        copies.setdefault(str(row["run_id"] or folder.run_id), []).append((folder, row))
    chosen = [same[0] if len(same) == 1 else max(same, key=_worth) for same in copies.values()]
    return [folder for folder, _ in chosen], [row for _, row in chosen]


def _worth(copy: tuple[RunFolder, Row]) -> tuple[bool, int]:
    folder, row = copy
    return row["finished"], len(folder.done())


_INTERVALS = ("acc_lo", "acc_hi", "tpf_lo", "tpf_hi")


def _run_row(folder: RunFolder) -> Row:
    run, summary = folder.run(), folder.summary() or {}
    row = {name: run.get(name) for name in (*RUN_COLUMNS, *LATER_COLUMNS)}
    row["setting"] = json.dumps(run.get("setting", {}), sort_keys=True)
    row["data"] = (run.get("data") or {}).get("kind")
    row |= {name: summary.get(name) for name in SUMMARY_COLUMNS}
    row["acc_lo"], row["acc_hi"] = summary.get("accuracy_ci95") or (math.nan, math.nan)
    low, high = summary.get("tpf_ci95") or (None, None)
    row["tpf_lo"], row["tpf_hi"] = (math.nan if value is None else value for value in (low, high))
    return {**row, "finished": bool(summary), "path": str(folder.path)}


def _samples(folder: RunFolder, run: Row) -> pd.DataFrame:
    frames = [_frame(chunk, folder.path / "samples.jsonl") for chunk in _chunks(folder)]
    if not frames:
        return pd.DataFrame()
    frame = _concat(frames)
    if run["finished"]:  # samples beyond the summary are the rest of a larger run that was interrupted
        frame = frame[frame["doc_id"] < run["n_samples"]].reset_index(drop=True)
    if frame["doc_id"].duplicated().any():
        list(folder.samples(light=True))  # raises, naming the line
    for position, name in enumerate((*IDENTITY, "seed")):
        value = run[name]
        column = pd.Categorical.from_codes(np.zeros(len(frame), np.int8), [value]) if name != "seed" else value
        frame.insert(position, name, column)
    return frame


def _chunks(folder: RunFolder) -> Iterable[list[Row]]:
    """The light part of the samples in lists of CHUNK; anything unusual goes the slow way, which names the line."""
    path = folder.path / "samples.jsonl"
    if not path.exists():
        return
    if folder.schema() != SCHEMA_VERSION:
        yield list(folder.samples())
        return
    seen = 0
    with open(path, "rb") as file:
        while lines := list(islice(file, CHUNK)):
            try:
                yield _light(lines)
            except (ValueError, RecursionError):
                yield list(read_samples(path, light=True))[seen:]
                return
            seen += len(lines)


def _light(lines: list[bytes]) -> list[Row]:
    """The short keys of many lines, parsed as one array. Raises ValueError unless every line is whole."""
    if not all(line[-2:] == b"}\n" for line in lines):
        raise ValueError
    rows: list[Row] = json.loads(b"[" + b"},".join([line[: line.find(FRAME_END)] for line in lines]) + b"}]")
    if len(rows) != len(lines) or any(not isinstance(row, dict) or sample_fault(row, light=True) for row in rows):
        raise ValueError
    return rows


def _frame(rows: list[Row], path: Path) -> pd.DataFrame:
    data: dict[str, Any] = {}
    for row in rows:
        needs(row, f"{path}, document {row['doc_id']}", *TYPES)
    for name, kind in TYPES.items():
        values = [row[name] for row in rows]
        data[name] = pd.Categorical(values) if kind == "category" else pd.array(values, kind)
    kinds = [row["forwards"] for row in rows]
    for name in KINDS:
        data[name] = np.array([kind.get(name, 0) for kind in kinds], np.int32)
    frame = pd.DataFrame(data)
    frame["forwards"] = frame["prefill"] + frame["denoise"] + frame["refresh"]
    return frame


def _concat(frames: list[pd.DataFrame]) -> pd.DataFrame:
    """One frame of many, categories united so that they stay categories."""
    if not frames:
        return pd.DataFrame(columns=[*IDENTITY, "seed", *TYPES, *KINDS, "forwards"])
    if len(frames) == 1:
        return frames[0]
    for name in frames[0].select_dtypes("category").columns:
        union = pd.api.types.union_categoricals([frame[name] for frame in frames]).categories
        for frame in frames:
            frame[name] = frame[name].cat.set_categories(union)
    return pd.concat(frames, ignore_index=True)
