"""One sample's denoising in the terminal: every token in the colour of the forward that committed it."""

from __future__ import annotations

import colorsys
from collections.abc import Mapping, Sequence
from typing import Any

from harness.terminal import plain

UNCOMMITTED = "dim strike"


def colour(step: int, last: int) -> str:
    """The colour of forward `step` of `last`: blue for the first, through green and yellow, red for the last."""
    share = (step - 1) / (last - 1) if last > 1 else 0.0
    red, green, blue = colorsys.hsv_to_rgb(0.62 * (1 - share), 0.75, 0.95)
    return f"#{int(red * 255):02x}{int(green * 255):02x}{int(blue * 255):02x}"


def visible(piece: str) -> str:
    """A piece of text with its line ends shown, so that every token can be seen."""
    return plain(piece.replace("\n", "⏎\n")) or "∅"


def coloured(pieces: Sequence[str], trace: Sequence[int], kept: int | None = None) -> Any:
    """A Rich text of all pieces; what was generated after the kept part is dim, slots never committed struck out."""
    from rich.text import Text

    text, last = Text(), max(trace, default=0)
    for place, (piece, step) in enumerate(zip(pieces, trace, strict=True)):
        style = colour(step, last) if step else UNCOMMITTED
        text.append(visible(piece), f"{style} dim" if kept is not None and place >= kept and step else style)
    return text


def by_forward(pieces: Sequence[str], trace: Sequence[int]) -> list[dict[str, Any]]:
    """Per forward pass that committed something: its number, how many tokens, and which, with their positions."""
    rows = []
    for step in sorted(set(trace) - {0}):
        placed = [(place, piece) for place, piece in enumerate(pieces) if trace[place] == step]
        shown = " ".join(f"{place}:{piece!r}" for place, piece in placed)
        rows.append({"forward": step, "tokens": len(placed), "committed (position:text)": shown})
    return rows


def print_replay(sample: Mapping[str, Any]) -> None:
    """Print a line of samples.jsonl: the coloured output, the scale, and what each forward committed."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console, pieces, trace = Console(highlight=False), sample["pieces"], sample["trace"]
    last = max(trace, default=0)
    if not last:
        console.print("Nothing was decoded.")
        return
    scale = Text("forward  ")
    for step in range(1, last + 1):
        scale.append(f"{step} ", colour(step, last))
    console.print(scale)
    console.print()
    console.print(coloured(pieces, trace, sample["tokens"]))
    console.print()
    table = Table(box=None, pad_edge=False, header_style="bold")
    rows = by_forward(pieces, trace)
    for name in rows[0]:
        table.add_column(name, overflow="fold", justify="left" if "position" in name else "right")
    for row in rows:
        forward, *rest = (Text(str(value)) for value in row.values())
        forward.stylize(colour(row["forward"], last))
        table.add_row(forward, *rest)
    console.print(table)
