"""The boxes of a text: the contents of `\\boxed{}`, and whether the last one was closed."""

from __future__ import annotations

import re
from typing import NamedTuple

# a backslash may be doubled or lost on the way; `\x08oxed` is `\boxed` read as a string escape
OPENING = re.compile(r"(?:\\*(?<![A-Za-z])f?boxed|\\fbox|\x08oxed)\s*(?=\{)|\\boxed(?=\s*[-+.\d$\\])", re.IGNORECASE)
BARE = re.compile(r"\s*\$?([^\s$]+)")  # `\boxed 18`

# "put the answer in \\boxed{your answer}": the instruction repeated
PLACEHOLDER = re.compile(
    r"(?:[\s._?]|\\(?:[lc]?dots|square|q?quad)\b)*"
    r"|(?=.*\b(?:answer|result|value|number|here)\b)(?:[\s._?{}\[\]<>]|\\text\b"
    r"|\b(?:your|the|final|an?|numeric(?:al)?|answer|result|value|number|goes|here)\b)*",
    re.IGNORECASE | re.DOTALL,
)


class Box(NamedTuple):
    """Where `\\boxed` occurs in a text, and what it holds; None if it was not closed."""

    start: int
    content: str | None


def boxes(text: str) -> list[Box]:
    """A text's boxes, in order, without those that are empty or hold a placeholder (`your answer`).

    Of boxes inside a box only the innermost ones count. What follows an unclosed brace is searched for boxes too.
    """
    closing = _closing(text)
    found: list[tuple[int, Box]] = []  # with the place where each ends
    for match in OPENING.finditer(text):
        at = match.end()
        if text[at : at + 1] != "{":
            bare = BARE.match(text, at)
            if bare:
                found.append((bare.end(), Box(match.start(), bare[1].rstrip(".,;:!?"))))
        elif at not in closing:
            found.append((len(text), Box(match.start(), None)))
        elif not PLACEHOLDER.fullmatch(content := text[at + 1 : closing[at]].strip()):
            found.append((closing[at], Box(match.start(), content)))
    starts = [box.start for _, box in found[1:]] + [len(text)]
    return [box for (end, box), start in zip(found, starts, strict=False) if box.content is None or start >= end]


def last_box(text: str) -> Box | None:
    """The last box of a text that is not empty, None if there is none."""
    found = boxes(text)
    return found[-1] if found else None


def _closing(text: str) -> dict[int, int]:
    """Where each brace of a text is closed; braces with a backslash are text."""
    found: dict[int, int] = {}
    opened: list[int] = []
    for match in re.finditer(r"\\.|[{}]", text, re.DOTALL):
        if match[0] == "{":
            opened.append(match.start())
        elif match[0] == "}" and opened:
            found[opened.pop()] = match.start()
    return found
