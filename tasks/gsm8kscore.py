"""Scores of GSM8K's kind of answer, one number: what an attentive reader takes for the answer, compared as a number.

lm-eval's own filters take the last match of a pattern that needs no digit and knows no box (docs/footguns.md); the
protocols of the reference repositories keep them, the fair and mini ones read with these.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

from tasks.boxes import Box, last_box
from tasks.numbers import NUMBER, SPELLED, in_words, number, plain, value, written

Doc = dict[str, Any]
Filter = Callable[[list[list[str]], list[Doc]], list[list[str]]]
INVALID = "[invalid]"  # lm-eval's word for: nothing was found

_FILLER = (
    r"(?:[:=\s(\[,~]|therefore\b|thus\b|then\b|hence\b|so\b|just\b|simply\b|exactly\b|equals?\b|to\b|about\b|now\b"
    r"|approximately\b|roughly\b|around\b|a total of\b|that\b|indeed\b|actually\b|only\b|is\b)*"
)
_MARK = re.compile(
    rf"(?<!#)####(?!#){_FILLER}(?={NUMBER.pattern.replace('(?P<', '(?P<mark_')}|(?i:{SPELLED.pattern}))"
    r"(?!\d+[.)]\s+[^\W\d])"
)
_OPERATOR = re.compile(r"\s*(?:[A-Za-z]+\s*)?(?:[-+*/]|x(?=\s?\d)|=)\s*(?=[\d(.])")
_MINUS = re.compile(r"(?:^|[\s=(:$])[-\u2212]\\?\$?$")  # right before a box: $-\boxed{4}$
_ENDED = re.compile(r"(?<!#)####[ $]*[-+]?[\d,.]*\d(?=####|[A-Z][a-z]+ )")
_ANSWER = re.compile(
    r"\b(?:answers?|ans)\b(?:\s(?:to|for|of)\b[^.\n:=?]{0,120}?)?\s*(?:is|are|was|'s|will be|would be|should be|must be"
    rf"|equals|=|:|->)\s*{_FILLER}",
    re.IGNORECASE,
)


def answer(text: str) -> str | None:
    """The number a text gives as its answer, in canonical form; the last box's content if that states no number.

    The last complete box, else the number behind `####`, else the one behind "the answer is", else the last number of
    the text. None where there is none, and where the last box was not closed: that answer was not finished.
    """
    box = last_box(text)
    if box is not None:
        return _boxed(text, box)
    clean = plain(text)
    if ended := _ENDED.search(clean):  # what follows was written behind an end-of-text token, which has no text
        clean = clean[: ended.end()]
    for opening in (_MARK, _ANSWER):
        found = [one for match in opening.finditer(clean) if (one := _stated(clean, match.end())) is not None]
        if found:
            return written(found[-1])
    values = [one for match in NUMBER.finditer(clean) if (one := value(match)) is not None]
    return written(values[-1]) if values else None


def boxed_answer(text: str) -> str | None:
    """The number in the last box of a text, its content if that states no number; None without a complete last box."""
    box = last_box(text)
    return None if box is None else _boxed(text, box)


def _boxed(text: str, box: Box) -> str | None:
    found = None if box.content is None else number(box.content)
    if found is None:
        return box.content
    return written(-found if _MINUS.search(text[: box.start]) else found)


def _stated(text: str, at: int) -> Fraction | None:
    """The number at a place, in digits or words, or the last result on the line of a calculation there: `9 * 2 = 18`.

    None for a calculation that is not worked out.
    """
    match = NUMBER.match(text, at)
    if match is None:
        spelled = SPELLED.match(text, at)
        return in_words(spelled[0]) if spelled else None
    if not _OPERATOR.match(text, match.end()):
        return value(match)
    line = text[match.end() :].partition("\n")[0]
    result = NUMBER.match(line.rpartition("=")[2].lstrip()) if "=" in line else None
    return value(result) if result else None


def _filter(read: Callable[[str], str | None]) -> Filter:
    def apply(responses: list[list[str]], docs: list[Doc]) -> list[list[str]]:
        return [read(next(iter(texts))) or INVALID for texts in responses]  # type: ignore[misc]

    return apply


reader = _filter(answer)
boxed = _filter(boxed_answer)


def exact_match(references: Sequence[str], predictions: Sequence[str]) -> float:
    """lm-eval's hook: whether a filtered response is the number behind `####` in the gold answer."""
    gold = number(references[0].rpartition("####")[2])
    found = None if predictions[0] == INVALID else number(predictions[0])
    return float(found is not None and found == gold)
