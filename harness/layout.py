"""Rows as text: a table that fits the terminal, Markdown, CSV or one JSON document."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from harness.terminal import plain

FORMATS = ("table", "md", "csv", "json")
GAP = 2  # blank columns between two columns of a table
NARROWEST = 32  # a column of prose is wrapped down to this width before another column is left out

Row = Mapping[str, Any]


def width_limit() -> int | None:
    """The width tables have to fit into: COLUMNS, or the terminal's; None for a pipe or a file, which wraps nothing."""
    if os.environ.get("COLUMNS", "").isdigit():
        return int(os.environ["COLUMNS"])
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def words(value: Any) -> str:
    """A value as people write it: `yes` and `no`, nothing for None, comma-separated items."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return ", ".join(map(words, value))
    return str(value)


def setting_value(value: Any) -> str:
    """A setting as `--set` takes it: `none`, `true`, `0.5`."""
    return json.dumps(value).strip('"').replace("null", "none") if not isinstance(value, str) else value


def fitted(
    columns: Mapping[str, Sequence[str]], width: int | None, prose: Sequence[str], give_way: Sequence[str]
) -> tuple[dict[str, int], list[str]]:
    """(width of each column that is shown, the columns that are left out) of a table with `width` columns of text.

    columns: heading -> its cells. Prose is wrapped first, down to `NARROWEST`; then the columns of `give_way` are left
    out, the first of them first. What is neither keeps its width, so that no id or number is ever broken.
    """
    from rich.cells import cell_len

    natural = {name: max(map(cell_len, (name, *cells))) for name, cells in columns.items()}
    if width is None:
        return natural, []
    least = {name: min(own, NARROWEST) if name in prose else own for name, own in natural.items()}
    left_out: list[str] = []
    for name in give_way:
        if sum(least.values()) + GAP * (len(least) - 1) <= width:
            break
        if name in least:
            left_out.append(name)
            del least[name]
    spare = max(0, width - sum(least.values()) - GAP * (len(least) - 1))
    for name in prose:
        if name in least:
            more = min(spare, natural[name] - least[name])
            least[name], spare = least[name] + more, spare - more
    return least, left_out


def print_text(rows: Sequence[Row], prose: Sequence[str] = (), give_way: Sequence[str] = ()) -> list[str]:
    """Print rows that share their keys as a table; returns the columns that did not fit. See `fitted`."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    if not rows:
        print("nothing yet")
        return []
    columns = {name: [plain(words(row[name])) for row in rows] for name in rows[0]}
    widths, left_out = fitted(columns, width_limit(), prose, give_way)
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.show_header = any(name.strip() for name in widths)
    for name, width in widths.items():
        table.add_column(name, width=width, overflow="fold", no_wrap=name not in prose)
    for cells in zip(*(columns[name] for name in widths), strict=True):
        table.add_row(*map(Text, cells))
    console = Console(highlight=False)
    console.width = sum(widths.values()) + GAP * len(widths)
    with console.capture() as text:
        console.print(table)
    print("\n".join(line.rstrip() for line in text.get().splitlines()))
    return left_out


def markdown(rows: Sequence[Row]) -> str:
    """Rows as a Markdown table."""
    if not rows:
        return "nothing yet\n"
    lines = [list(rows[0]), ["---"] * len(rows[0]), *([words(value) for value in row.values()] for row in rows)]
    cells = [[" ".join(cell.replace("|", "\\|").split()) for cell in line] for line in lines]
    return "".join(f"| {' | '.join(line)} |\n" for line in cells)


def csv_text(rows: Sequence[Row]) -> str:
    """Rows as CSV with a header; an interval `x: [lo, hi]` becomes `x_lo,x_hi`, a mapping one column for each key."""
    flat = [dict(_flat("", row)) for row in rows]
    names = list(dict.fromkeys(name for row in flat for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, names, restval="", lineterminator="\n")
    if names:
        writer.writeheader()
    writer.writerows(flat)
    return text.getvalue()


def _flat(prefix: str, row: Row) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for name, value in row.items():
        key = f"{prefix}{name}"
        if isinstance(value, Mapping):
            found += _flat(f"{key}.", value)
        elif key.endswith("ci95"):  # null where nothing was measured
            low, high = value or (None, None)
            found += [(f"{key}_lo", low), (f"{key}_hi", high)]
        else:
            found.append((key, json.dumps(value, ensure_ascii=False) if isinstance(value, (list, bool)) else value))
    return found
