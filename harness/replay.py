"""One sample's denoising in the terminal: every token in the colour of the forward that committed it last."""

from __future__ import annotations

import colorsys
import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from harness.revisions import Event, events
from harness.terminal import plain, plain_json

UNCOMMITTED = "dim strike"
REVISED = "underline"
LONG = 4  # from so many equal neighbours on, one stands for all


def colour(step: int, last: int) -> str:
    """The colour of forward `step` of `last`: blue for the first, through green and yellow, red for the last."""
    share = (step - 1) / (last - 1) if last > 1 else 0.0
    red, green, blue = colorsys.hsv_to_rgb(0.62 * (1 - share), 0.75, 0.95)
    return f"#{int(red * 255):02x}{int(green * 255):02x}{int(blue * 255):02x}"


def visible(piece: str) -> str:
    """A piece of text with its line ends shown, so that every token can be seen."""
    return plain(piece.replace("\n", "⏎\n")) or "∅"


def quoted(piece: str) -> str:
    """A piece of text in double quotes, its line ends and control characters escaped."""
    return plain_json(json.dumps(piece, ensure_ascii=False))


def coloured(
    pieces: Sequence[str], trace: Sequence[int], kept: int | None = None, revised: Collection[int] = ()
) -> Any:
    """A Rich text of all pieces; what was generated after the kept part is dim, slots never committed struck out.

    revised: places whose token was changed or masked again on the way, underlined.
    """
    from rich.text import Text

    text, last = Text(), max(trace, default=0)
    for place, many in collapsed(pieces):
        piece, step = pieces[place], trace[place]
        style = colour(step, last) if step else UNCOMMITTED
        style += f" {REVISED}" if place in revised else ""
        text.append(visible(piece), f"{style} dim" if kept is not None and place >= kept and step else style)
        text.append(_times(many), "dim")
    return text


def collapsed(pieces: Sequence[str], places: Sequence[int] | None = None) -> list[tuple[int, int]]:
    """(index of the first, how many) of runs of one and the same piece, such as the EOS behind an answer.

    Only runs of four and more are collapsed. places: the position of each piece, where not all are given; pieces that
    are no neighbours make no run.
    """
    runs: list[tuple[int, int]] = []
    at = 0
    while at < len(pieces):
        end = at + 1
        while end < len(pieces) and pieces[end] == pieces[at] and (not places or places[end] == places[end - 1] + 1):
            end += 1
        runs += [(at, end - at)] if end - at >= LONG else [(place, 1) for place in range(at, end)]
        at = end
    return runs


def _times(many: int) -> str:
    return f" ×{many} " if many > 1 else ""


def by_forward(sample: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Per forward pass that wrote something: its number, how many masks it filled, and which, with their positions.

    Samples with revisions have one more column: what was changed or masked again, before and after.
    """
    grouped: dict[int, list[Event]] = {}
    for event in events(sample):
        grouped.setdefault(event.forward, []).append(event)
    rows = []
    for forward, written in grouped.items():
        filled = [event for event in written if event.before is None]
        places, texts = [event.place for event in filled], [event.piece or "" for event in filled]
        runs = collapsed(texts, places)
        shown = " ".join(f"{places[at]}:{quoted(texts[at])}{_times(many)}" for at, many in runs)
        row: dict[str, Any] = {"forward": forward, "tokens": len(filled), "committed (position:text)": shown}
        if sample.get("edits"):
            row["revised (position:before>after)"] = " ".join(
                f"{event.place}:{quoted(event.before)}>{'mask' if event.piece is None else quoted(event.piece)}"
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
