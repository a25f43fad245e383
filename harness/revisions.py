"""What stood on the canvas of a stored sample after each of its forwards, revised tokens included.

A line of samples.jsonl has `trace` (the last commit of every slot) and, where tokens were revised, `first_trace`,
`edits` ([forward, slot, id or null for a mask], all that ever stood on the revised slots) and `edit_pieces`, their
texts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple


class Event(NamedTuple):
    """Forward `forward` put `token` (None: a mask) with the text `piece` on slot `place`, over the text `before`."""

    forward: int
    place: int
    token: int | None
    piece: str | None
    before: str | None


def stored(result: Any, pieces: Any) -> dict[str, Any]:
    """The fields of samples.jsonl that say how a decoded row was revised; pieces: from ids to their texts."""
    line: dict[str, Any] = {
        "revisions": int(result.revisions),
        "remasks": int(result.remasks),
        "trace": list(map(int, result.commit_step)),
    }
    if result.reveal_step != result.commit_step:
        line["first_trace"] = list(map(int, result.reveal_step))
    if result.edits:
        line["edits"] = [list(edit) for edit in result.edits]
        line["edit_pieces"] = [None if token is None else pieces([token])[0] for _, _, token in result.edits]
    return line


def events(sample: Mapping[str, Any]) -> list[Event]:
    """Everything that was written on the canvas, by forward and slot; slots never committed have no event."""
    edits: Sequence[Sequence[Any]] = sample.get("edits") or ()
    texts = sample.get("edit_pieces") or [None if edit[2] is None else "?" for edit in edits]
    revised = {place for _, place, _ in edits}
    found = [
        Event(step, place, token, piece, None)
        for place, (step, token, piece) in enumerate(
            zip(sample["trace"], sample["output_ids"], sample["pieces"], strict=True)
        )
        if step and place not in revised
    ]
    standing: dict[int, str | None] = {}
    for (forward, place, token), piece in zip(edits, texts, strict=True):
        found.append(Event(forward, place, token, piece, standing.get(place)))
        standing[place] = piece
    return sorted(found, key=lambda event: (event.forward, event.place))


def standing(sample: Mapping[str, Any], forward: int) -> list[int | None]:
    """The ids of all slots after forward number `forward` (from 1; 0: before the first), None for a mask."""
    ids: list[int | None] = [None] * len(sample["output_ids"])
    for event in events(sample):
        if event.forward <= forward:
            ids[event.place] = event.token
    return ids
