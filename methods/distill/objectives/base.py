"""What an objective is: how a trajectory becomes a training example, and how a batch of examples becomes a loss.

The data side is numpy and pure: the same (trajectory, rng, progress) gives the same example everywhere.
The model side sees `Models`: hidden states, the head, and the frozen teacher.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from torch import Tensor

from methods.distill import masks
from methods.distill.losses import Mean
from methods.distill.masks import Ints
from methods.distill.trajectory import Trajectory

Item = dict[str, Any]
Batch = dict[str, Tensor]


@dataclass(frozen=True)
class Draw:
    """One draw of the training set.

    pick: which of the trajectory's examples (TAD: the step). rng: this draw's own; shared: that of its micro-batch.
    progress: share of the run that is done, [0, 1). tail: EOS tokens to keep behind the first one.
    """

    trajectory: Trajectory
    pick: int
    rng: np.random.Generator
    shared: np.random.Generator
    progress: float
    tail: int | None = None


@dataclass(frozen=True)
class Tokens:
    """The ids an objective needs, and the alignment (0: row i scores token i, 1: row i - 1 does)."""

    mask: int
    eos: tuple[int, ...]
    shift: int
    max_length: int


class Models(Protocol):
    """The models as an objective sees them. Hidden states are `[B, L, D]`; `rows` picks scored positions `[N, D]`."""

    chunk: int | None

    def hidden(self, ids: Tensor, allowed: Tensor | None = None, positions: Tensor | None = None) -> Tensor:
        """Student forward on `ids [B, L]`; allowed `[B, L]` or `[B, L, L]`, True = may be read."""

    def head(self, rows: Tensor) -> Tensor:
        """Student logits."""

    def teaching(self) -> AbstractContextManager[tuple[Callable[..., Tensor], Callable[[Tensor], Tensor]]]:
        """Context that gives the frozen teacher's (hidden, head), without gradients."""

    def rows(self, hidden: Tensor, where: Tensor) -> Tensor:
        """Hidden states that score the positions `where [B, L]` (bool), shifted as the backbone needs."""


class Objective(Protocol):
    """A training objective; `settings` is a frozen dataclass whose fields are the recipe's keys."""

    settings: Any
    tokens: Tokens

    def examples(self, trajectory: Trajectory) -> int:
        """How many examples one epoch takes from a trajectory."""

    def item(self, draw: Draw) -> Item:
        """Arrays of one example: `[L]` each, padded by the collator; scalars stay scalars."""

    def loss(self, models: Models, batch: Batch, mean: Mean) -> tuple[Tensor, dict[str, Tensor]]:
        """The batch's loss and its named parts; `mean` divides sums by counts over all processes."""


def trimmed(draw: Draw, eos: tuple[int, ...]) -> tuple[Ints, Ints]:
    """The trajectory's response and reveal order with at most `draw.tail` tokens kept behind the first EOS."""
    response, reveal = draw.trajectory.response, draw.trajectory.reveal
    if draw.tail is None:
        return response, reveal
    end = masks.first_eos(response, eos) + 1 + draw.tail
    return response[:end], reveal[:end]


def behind(prompt: Ints, *responses: np.ndarray) -> tuple[np.ndarray, ...]:
    """Each response-long array as a canvas-long one: ids get the prompt in front, masks get False, floats 0."""
    made = []
    for values in responses:
        front: np.ndarray = prompt if values.dtype == np.int64 else np.zeros(len(prompt), values.dtype)
        made.append(np.concatenate([front, values]))
    return tuple(made)
