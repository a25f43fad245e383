"""One file, one experiment: a YAML file with rows, tasks, points, seeds and limits, read with line numbers.

`harness sweep --config FILE` runs it, `harness init` writes a commented one, and `--print-config` writes the one that
says what the flags of a command say.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import UsageError, unknown
from harness.runner.spec import RunSpec

if TYPE_CHECKING:
    from yaml import Node

    from harness.sweep import Grid

SHARED = ("suite", "batch_size", "data_dir", "device", "dtype", "compile", "protocol", "fidelity", "out")
OF_A_ROW = ("method", "label", "checkpoint", "adapter", "settings", "points")
KEYS = (*SHARED, "rows", "tasks", "points", "seeds", "limit", "samples", "executor", "report")
LISTS = ("rows", "tasks", "seeds")
EXECUTORS = ("local", "ray")

TEMPLATE = """\
# An experiment: run it with `harness sweep --config FILE` (add --dry-run for the plan and its time).
# The same command again continues it; finished runs are never decoded again.

suite: mini                # harness ls suites
tasks: [gsm8k]             # harness ls tasks --suite mini; leave it out for all tasks of the suite

rows:                      # one entry for each row of the tables; harness ls methods
  - method: multi_block
  - method: tad_speed
    points: [0.1, 0.3, 0.5]            # values of the swept parameter; left out: the method's own
    # label: my_tad_speed              # names the row; two checkpoints need two names
    # checkpoint: path/to/folder       # or org/name@revision: instead of the suite's
    # settings: {block_size: 16}       # harness ls methods tad_speed

limit: 50                  # the first 50 documents of each task; 0.1: a tenth of them; left out: all
seeds: [0]                 # every point once per seed; matters for methods that sample
batch_size: 16             # changes the speed, not the tokens
# data_dir: ../data        # DIR/gsm8k/test.jsonl: real questions through the same path
# protocol: llada-tad      # another protocol set, or a protocol's file
# device: auto
# dtype: auto
out: results/runs          # the store
executor: local            # or ray
report: out/report         # where `harness report` puts tables, figures and the page at the end; left out: no report
"""


@dataclass(frozen=True)
class Entry:
    """One row of an experiment: a method, its weights and its settings. line: where it begins in the file."""

    method: str
    label: str | None = None
    checkpoint: str | None = None
    adapter: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    points: Sequence[Any] | None = None
    line: int = 0


@dataclass(frozen=True)
class Experiment:
    """What a file says. base: what all runs share. points: of the rows that name none. report: its folder, or None."""

    file: Path
    text: str
    base: RunSpec
    rows: tuple[Entry, ...]
    tasks: tuple[str, ...] = ()
    points: Sequence[Any] | None = None
    seeds: tuple[int, ...] = (0,)
    executor: str = "local"
    report: str | None = None

    def plan(self, **changes: Any) -> list[RunSpec]:
        """Every run, row by row; `changes` override what all runs share. Raises UsageError naming file and line."""
        from harness.sweep import Grid, Points
        from harness.sweep.run import make_plan

        specs: list[RunSpec] = []
        for row in self.rows:
            points = self.points if row.points is None else row.points
            items = {} if points is None else {row.method: points}
            own: dict[str, Any] = {"label": row.label, "checkpoint": row.checkpoint, "adapter": row.adapter}
            base = replace(self.base, **own, **changes)
            grid = Grid(base, [row.method], self.tasks, Points(items, "points"), self.seeds, row.settings)
            try:
                specs += make_plan(grid)
            except Exception as error:
                if not hasattr(error, "exit_code"):
                    raise
                raise UsageError(f"{self.file} line {row.line}: {error}") from None
        return specs

    def store(self, out: str) -> Path:
        """Keep the file beside the runs, under its name and a hash of its content; returns where."""
        digest = hashlib.sha256(self.text.encode("utf-8")).hexdigest()[:8]
        kept = Path(out) / "experiments" / f"{self.file.stem}-{digest}.yaml"
        try:
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.write_text(self.text, encoding="utf-8")
        except OSError as error:
            raise UsageError(f"{kept} cannot be written: {error.strerror or error}.") from None
        return kept


def read(file: Path) -> Experiment:
    """The experiment of a YAML file. Raises UsageError naming the file, the line and the closest known key."""
    import yaml

    try:
        text = file.read_text(encoding="utf-8")
        node = yaml.compose(text)
        data = yaml.safe_load(text)
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{file} cannot be read: {getattr(error, 'strerror', None) or error}.") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" line {mark.line + 1}" if mark else ""
        raise UsageError(f"{file}{where}: not valid YAML ({getattr(error, 'problem', None) or error}).") from None
    if not isinstance(data, dict):
        raise UsageError(f"{file}: an experiment is a mapping with {', '.join(KEYS)}; `harness init` writes one.")
    lines = _lines(node)
    _check_keys(file, data, lines, KEYS)
    for name in LISTS:
        if name in data and not (isinstance(data[name], list) and data[name]):
            raise _wrong(file, lines[name], f"{name} is a list with at least one entry")
    if not data.get("rows"):
        raise UsageError(f"{file}: the key rows is missing; a row is at least `- method: NAME`.")
    if data.get("executor", "local") not in EXECUTORS:
        raise _wrong(file, lines["executor"], str(unknown("executor", str(data["executor"]), EXECUTORS)).rstrip("."))
    return Experiment(
        file=file,
        text=text,
        base=_base(file, data, lines),
        rows=tuple(_entry(file, row, item) for row, item in zip(data["rows"], _items(node, "rows"), strict=True)),
        tasks=tuple(map(str, data.get("tasks") or ())),
        points=_points(file, data.get("points"), lines.get("points", 0)),
        seeds=_seeds(file, data.get("seeds", [0]), lines.get("seeds", 0)),
        executor=data.get("executor", "local"),
        report=None if data.get("report") is None else str(data["report"]),
    )


def _base(file: Path, data: Mapping[str, Any], lines: Mapping[str, int]) -> RunSpec:
    kinds = {"batch_size": int, "compile": bool}
    values: dict[str, Any] = {}
    for name in SHARED:
        if data.get(name) is None:
            continue
        kind = kinds.get(name, str)
        if type(data[name]) is not kind:
            word = {int: "an integer", bool: "true or false", str: "text"}[kind]
            raise _wrong(file, lines[name], f"{name} is {word}")
        values[name] = data[name]
    limit = data.get("limit")
    if limit is not None and (isinstance(limit, bool) or not isinstance(limit, (int, float))):
        raise _wrong(file, lines["limit"], "limit is a number of documents, or a share below 1")
    samples = None if data.get("samples") is None else str(data["samples"])
    return RunSpec(method="", task="", limit=limit, samples=samples, **values)


def _entry(file: Path, row: Any, node: Node) -> Entry:
    line = node.start_mark.line + 1
    if isinstance(row, str):
        return Entry(row, line=line)
    if not isinstance(row, dict):
        raise _wrong(
            file, line, "a row is a method's name or a mapping with method, label, checkpoint, settings, points"
        )
    lines = _lines(node)
    _check_keys(file, row, lines, OF_A_ROW)
    if not isinstance(row.get("method"), str):
        raise _wrong(file, line, "a row needs a method, such as `method: tad_speed`")
    if not isinstance(row.get("settings") or {}, dict):
        raise _wrong(file, lines["settings"], "settings is a mapping such as {block_size: 16}")
    texts = {name: None if row.get(name) is None else str(row[name]) for name in ("label", "checkpoint", "adapter")}
    points = _points(file, row.get("points"), lines.get("points", line))
    return Entry(row["method"], **texts, settings=row.get("settings") or {}, points=points, line=line)


def _points(file: Path, value: Any, line: int) -> Sequence[Any] | None:
    if value is not None and not (isinstance(value, list) and value):
        raise _wrong(file, line, "points is a list of values of the swept parameter, or of whole settings")
    return None if value is None else list(value)


def _seeds(file: Path, value: Any, line: int) -> tuple[int, ...]:
    if not all(type(seed) is int for seed in value):
        raise _wrong(file, line, "seeds is a list of integers")
    return tuple(value)


def _check_keys(file: Path, data: Mapping[Any, Any], lines: Mapping[str, int], known: Iterable[str]) -> None:
    for name in data:
        if name not in known:
            raise UsageError(f"{file} line {lines[str(name)]}: {unknown('key', str(name), known)}")


def _wrong(file: Path, line: int, should: str) -> UsageError:
    return UsageError(f"{file} line {line}: {should}.")


def _lines(node: Any) -> dict[str, int]:
    """The line of each key of a mapping, counted from 1."""
    return {key.value: key.start_mark.line + 1 for key, _ in node.value}


def _items(node: Any, name: str) -> list[Any]:
    return next(value.value for key, value in node.value if key.value == name)


def experiment_text(grid: Grid, executor: str = "local") -> str:
    """The file for a sweep's grid: running it gives the same plan."""
    from harness.settings import checked
    from harness.sweep.run import make_plan
    from methods import registry

    base = grid.base
    shared = {name: value for name in ("label", "checkpoint", "adapter") if (value := getattr(base, name)) is not None}
    rows = []
    for name in dict.fromkeys(spec.method for spec in make_plan(grid)):
        method = registry.get(name)
        own = {key: value for key, value in grid.settings.items() if key in method.params or key == "gen_length"}
        asked = [name, "all"] if method.axis else [name]
        settings = grid.points.of(method) if any(key in grid.points.items for key in asked) else []
        points = [item[method.axis] if method.axis and set(item) == {method.axis} else item for item in settings]
        row = {"method": name, **shared, "settings": checked(method, own), "points": points}
        rows.append({key: value for key, value in row.items() if value})
    more = {"tasks": list(grid.tasks), "seeds": list(grid.seeds), "executor": executor if executor != "local" else ""}
    return text_of(base, rows, more)


def text_of(base: RunSpec, rows: Sequence[Mapping[str, Any]], more: Mapping[str, Any]) -> str:
    """The file for what flags say: what differs from the defaults, in the order of the keys."""
    import yaml

    defaults = {item.name: item.default for item in fields(RunSpec)}
    values = {name: getattr(base, name) for name in (*SHARED, "limit", "samples")}
    found = {name: value for name, value in values.items() if name == "suite" or value != defaults[name]}
    found |= {"rows": [dict(row) for row in rows], **{name: value for name, value in more.items() if value}}
    ordered = {name: found[name] for name in KEYS if name in found}
    return str(yaml.safe_dump(ordered, sort_keys=False, default_flow_style=None, allow_unicode=True, width=120))
