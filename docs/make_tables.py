"""Writes the tables of results/mini into docs/mini.md and docs/tad-delta.md: python docs/make_tables.py [--check]

A table is written between `<!-- NAME, written by docs/make_tables.py -->` and `<!-- end -->`. `tests/test_docs.py`
fails when a committed page differs from the result files.
"""

from __future__ import annotations

import csv
import json
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

DOCS = Path(__file__).parent
RESULTS = DOCS.parent / "results" / "mini"
PAGES = ("mini.md", "tad-delta.md")
TASKS = ("gsm8k", "math", "humaneval", "mbpp")
SWEPT = ("tokens_per_step", "factor", "draft_tokens", "threshold")
PLACE = re.compile(r"(<!-- (\w+), written by docs/make_tables\.py -->\n\n).*?(\n\n<!-- end -->)", re.DOTALL)
Rows = list[dict[str, str]]


def _read(name: str) -> Rows:
    with (RESULTS / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _n(text: str, digits: int = 1) -> str:
    return f"{float(text):.{digits}f}" if text else ""


def _span(row: dict[str, str], name: str) -> str:
    low, high = row[f"{name}_lo"], row[f"{name}_hi"]
    return f"[{_n(low)}, {_n(high)}]" if low else ""


def _aup(row: dict[str, str]) -> str:
    return f"{_n(row['aup'])} {_span(row, 'aup')}".strip()


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


def _mean(numbers: Sequence[float]) -> str:
    return f"{sum(numbers) / len(numbers):.1f}"


def leaderboard() -> str:
    """A row per method: areas per task with intervals, the accuracy at its slowest point and at the one shown.

    Clipped AUP where the files have it: it ranks rows of runs, and the paper's AUP is shown beside the mean.
    """
    means = {row["method"]: row for row in _read("ranks")}
    areas = {(row["method"], row["task"]): row for row in _read("aup")}
    points = _read("points")
    rows = []
    board = _read("leaderboard")
    kind = "aup_clipped" if "avg_aup_clipped" in board[0] else "aup"
    ranked = sorted(board, key=lambda row: -float(row[f"avg_{kind}"]))
    for rank, row in enumerate(ranked, 1):
        name = row["method"]
        cells = [f"{_n(areas[name, task][kind])} {_span(areas[name, task], kind)}".strip() for task in TASKS]
        own = [[p for p in points if (p["method"], p["task"]) == (name, task)] for task in TASKS]
        strictest = [float(min(curve, key=lambda p: float(p["tpf"]))["accuracy"]) for curve in own]
        shown = f"{_n(row['avg_accuracy'])} @ {_n(row['avg_tpf'], 2)}"
        rows.append(
            [
                str(rank),
                f"`{name}`",
                f"**{_n(row[f'avg_{kind}'])}** {_span(means[name], f'avg_{kind}')}",
                *([_n(row["avg_aup"])] if kind == "aup_clipped" else []),
                *cells,
                _mean(strictest),
                shown,
            ]
        )
    words = "clipped AUP" if kind == "aup_clipped" else "AUP"
    header = ["rank", "method", f"mean {words} [95 %]", *(["mean AUP"] if kind == "aup_clipped" else [])]
    header += [f"{task} {words} [95 %]" for task in TASKS]
    return _table([*header, "accuracy at the lowest TPF", "accuracy @ TPF shown"], rows)


def _swept(setting: str) -> str:
    values = json.loads(setting)
    return next((f"{values[name]:g}" for name in SWEPT if name in values), "greedy")


def _accuracy(point: dict[str, str]) -> str:
    return f"{_n(point['accuracy'])} [{_n(point['acc_lo'], 0)}, {_n(point['acc_hi'], 0)}]"


def points() -> str:
    """Every point of GSM8K, a row per method."""
    every = [row for row in _read("points") if row["task"] == "gsm8k"]
    rows = []
    for name in sorted({row["method"] for row in every}):
        curve = sorted((row for row in every if row["method"] == name), key=lambda row: float(row["tpf"]))
        cells = [f"{_swept(p['setting'])}: {_accuracy(p)} @ {_n(p['tpf'], 2)}" for p in curve]
        rows.append([f"`{name}`", "; ".join(cells)])
    return _table(["method", "setting: accuracy % [95 %] @ TPF"], rows)


def delta() -> str:
    """The ablation over TAD's delta."""
    rows = [
        [
            row["model"],
            _n(row["accuracy_tpf1"]),
            f"[{_n(row['accuracy_tpf1_lo'])}, {_n(row['accuracy_tpf1_hi'])}]",
            f"{_n(row['accuracy_default'])} @ {_n(row['tpf_default'], 2)}",
            _aup(row),
        ]
        for row in _read("delta")
    ]
    return _table(["model", "accuracy at threshold 0", "[95 %]", "accuracy @ TPF at 0.5", "AUP [95 %]"], rows)


def seeds() -> str:
    """Every training seed, and mean and standard deviation between them."""
    rows = [
        [
            f"`{row['method']}`",
            row["seed"],
            _n(row["accuracy_tpf1"]),
            f"{_n(row['accuracy_default'])} @ {_n(row['tpf_default'], 2)}",
            _aup(row),
        ]
        for row in _read("seeds")
    ]
    return _table(["method", "seed", "accuracy at threshold 0", "accuracy @ TPF at 0.5", "AUP [95 %]"], rows)


def cost() -> str:
    """Processor minutes per row."""
    rows = [[row["row"], _n(row["training"]), _n(row["sweep"])] for row in _read("cost")]
    return _table(["row", "training, CPU minutes", "sweep, CPU minutes"], rows)


TABLES: dict[str, Callable[[], str]] = {
    "leaderboard": leaderboard,
    "points": points,
    "delta": delta,
    "seeds": seeds,
    "cost": cost,
}


def page(name: str) -> str:
    """The text of a page with its tables written again."""
    text = (DOCS / name).read_text(encoding="utf-8")
    return PLACE.sub(lambda found: found[1] + TABLES[found[2]]() + found[3], text)


if __name__ == "__main__":
    old = [name for name in PAGES if (DOCS / name).read_text(encoding="utf-8") != page(name)]
    if "--check" in sys.argv[1:]:
        sys.exit(f"{', '.join(old)}: old, run python docs/make_tables.py" if old else 0)
    for name in old:
        (DOCS / name).write_text(page(name), encoding="utf-8")
    print(f"wrote {', '.join(old) or 'nothing new'}")
