"""What the four mini generators share: a problem, its split, and streams that never mix train and test."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

TEST_SHARE = 10  # every tenth problem (by the hash of its core) belongs to the test split
TEST_SIZE = 500
SPLITS = ("train", "test")


@dataclass(frozen=True)
class Problem:
    """One generated problem.

    core: what makes it a problem of its own (operations and numbers, not names or wording); decides the split.
    row: the data-set row under the big sibling's field names. prompt: what the model reads.
    answers: worked answers in different wordings, each right; a training example draws one of them.
    reference: the gold text a privileged teacher may see (`Reference Answer: …`).
    """

    core: str
    row: dict[str, Any]
    prompt: str
    answers: Callable[[random.Random], str]
    reference: str

    @property
    def split(self) -> str:
        """`test` for one core in ten, by its hash, so that no problem is in both splits."""
        bucket = int(hashlib.sha256(self.core.encode()).hexdigest(), 16) % TEST_SHARE
        return "test" if bucket == 0 else "train"


@dataclass(frozen=True)
class MiniTask:
    """A generated task: `make(rng)` draws one problem of either split."""

    name: str
    make: Callable[[random.Random], Problem]

    def stream(self, split: str, seed: int = 0) -> Iterator[Problem]:
        """An endless stream of problems of one split; the test stream repeats no problem.

        Raises ValueError for a split that is neither `train` nor `test`.
        """
        if split not in SPLITS:
            raise ValueError(f"Unknown split {split!r}: a mini task has the splits train and test.")
        rng = random.Random(f"mini/{self.name}/{split}/{seed}")
        seen: set[str] = set()
        while True:
            problem = self.make(rng)
            if problem.split != split or (split == "test" and problem.prompt in seen):
                continue
            seen.add(problem.prompt) if split == "test" else None
            yield problem

    def problems(self, split: str, n: int | None = None, seed: int = 0) -> list[dict[str, Any]]:
        """The first `n` rows of a split (default: 500, the whole test set), under the big sibling's field names."""
        stream = self.stream(split, seed)
        return [next(stream).row for _ in range(TEST_SIZE if n is None else n)]
