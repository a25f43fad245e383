"""One recorded decode: the response and the order in which the teacher revealed it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from methods.distill.masks import Ints


@dataclass(frozen=True)
class Trajectory:
    """A problem with the teacher's answer.

    prompt: ids the student sees. teacher: ids of the prompt with the reference answer in it, for the frozen teacher
    (equal to `prompt` when there is none). decoded: ids of the prompt the trajectory was decoded from.
    response: `[R]` ids, the whole generation region, EOS tail included. reveal: `[R]`, the 1-based forward that
    committed each position, 0 = never.
    """

    id: str
    task: str
    prompt: Ints
    teacher: Ints
    decoded: Ints
    response: Ints
    reveal: Ints
    correct: bool
    text: str = ""

    @property
    def length(self) -> int:
        """Tokens of the student's canvas."""
        return len(self.prompt) + len(self.response)


def ints(values: object) -> Ints:
    """Any sequence of ids as int64."""
    return np.asarray(values, dtype=np.int64)


def in_order(response: object) -> Ints:
    """The reveal order of a response nobody decoded (a gold answer): left to right."""
    return np.arange(1, len(np.atleast_1d(np.asarray(response))) + 1, dtype=np.int64)
