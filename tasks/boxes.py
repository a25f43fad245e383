"""The boxes of a text: what stands in `\\boxed{}`, and whether the last one was closed."""

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
    """Where `\\boxed` stands in a text, and what it holds; None if it was not closed."""

    start: int
    content: str | None


def boxes(text: str) -> list[Box]:
    """A text's boxes, in order, without those that are empty or hold a placeholder (`your answer`).

    Of boxes inside a box the innermost last one counts. What follows an unclosed brace is searched for boxes too.
    """
    found: list[Box] = []
    at = 0
    while match := OPENING.search(text, at):
        if text[match.end() : match.end() + 1] != "{":
            bare = BARE.match(text, match.end())
            found += [Box(match.start(), bare[1].rstrip(".,;:!?"))] if bare else []
            at = bare.end() if bare else match.end()
            continue
        end = _closing(text, match.end())
        if end is None:
            found.append(Box(match.start(), None))
            at = match.end()
            continue
        content = text[match.end() + 1 : end].strip()
        inner = [box.content for box in boxes(content) if box.content is not None]
        if not PLACEHOLDER.fullmatch(content):
            found.append(Box(match.start(), inner[-1] if inner else content))
        at = end
    return found


def last_box(text: str) -> Box | None:
    """The last box of a text that is not empty, None if there is none."""
    found = boxes(text)
    return found[-1] if found else None


def _closing(text: str, opening: int) -> int | None:
    """The place of the brace that closes the one at `opening`; braces with a backslash are text."""
    depth, at = 0, opening
    while at < len(text):
        char = text[at]
        if char == "\\":
            at += 2
            continue
        depth += (char == "{") - (char == "}")
        if depth == 0:
            return at
        at += 1
    return None
