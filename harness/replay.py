"""One sample's denoising in the terminal: every token in the colour of the forward that committed it last."""

from __future__ import annotations

import colorsys
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from harness.revisions import Event, events

UNCOMMITTED = "dim strike"
REVISED = "underline"


def colour(step: int, last: int) -> str:
    """The colour of forward `step` of `last`: blue for the first, through green and yellow, red for the last."""
    share = (step - 1) / (last - 1) if last > 1 else 0.0
    red, green, blue = colorsys.hsv_to_rgb(0.62 * (1 - share), 0.75, 0.95)
    return f"#{int(red * 255):02x}{int(green * 255):02x}{int(blue * 255):02x}"


def visible(piece: str) -> str:
    """A piece of text with its line ends shown, so that every token can be seen."""
    return plain(piece.replace("\n", "⏎\n")) or "∅"


def plain(text: str) -> str:
    """Text with its control characters as pictures, so that an output cannot drive the terminal."""
    return text.translate({code: 0x2400 + code for code in range(32) if code != 10} | {127: 0x2421})


def coloured(
    pieces: Sequence[str], trace: Sequence[int], kept: int | None = None, revised: Collection[int] = ()
) -> Any:
    """A Rich text of all pieces; what was generated after the kept part is dim, slots never committed struck out.

    revised: places whose token was changed or masked again on the way, underlined.
    """
    from rich.text import Text

    text, last = Text(), max(trace, default=0)
    for place, (piece, step) in enumerate(zip(pieces, trace, strict=True)):
        style = colour(step, last) if step else UNCOMMITTED
        style += f" {REVISED}" if place in revised else ""
        text.append(visible(piece), f"{style} dim" if kept is not None and place >= kept and step else style)
    return text


def by_forward(sample: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Per forward that wrote something: its number, how many masks it filled, and which, with their positions.

    Samples with revisions have one more column: what was changed or masked again, before and after.
    """
    grouped: dict[int, list[Event]] = {}
    for event in events(sample):
        grouped.setdefault(event.forward, []).append(event)
    rows = []
    for forward, written in grouped.items():
        filled = [event for event in written if event.before is None]
        row: dict[str, Any] = {
            "forward": forward,
            "tokens": len(filled),
            "committed (position:text)": " ".join(f"{event.place}:{event.piece!r}" for event in filled),
        }
        if sample.get("edits"):
            row["revised (position:before>after)"] = " ".join(
                f"{event.place}:{event.before!r}>{'mask' if event.piece is None else repr(event.piece)}"
                for event in written
                if event.before is not None
            )
        rows.append(row)
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
    revised = {place for _, place, _ in sample.get("edits") or ()}
    if revised:
        counts = f"{sample['revisions']} revisions, {sample['remasks']} remasks"
        console.print(Text.assemble(("underlined", REVISED), f": revised on the way ({counts}); colour: last commit"))
    console.print()
    console.print(coloured(pieces, trace, sample["tokens"], revised))
    console.print()
    table = Table(box=None, pad_edge=False, header_style="bold")
    rows = by_forward(sample)
    for name in rows[0]:
        table.add_column(name, overflow="fold", justify="left" if "position" in name else "right")
    for row in rows:
        forward, *rest = (Text(str(value)) for value in row.values())
        forward.stylize(colour(row["forward"], last))
        table.add_row(forward, *rest)
    console.print(table)
