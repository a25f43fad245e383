"""The training set as draws: draw n is the same example with the same noise on any machine and any process count.

Nothing is remembered between draws, so a resumed run continues with the very draws it would have seen, and two
processes see the two halves of what one process sees.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from methods.distill.objectives.base import Draw, Item, Objective
from methods.distill.trajectory import Trajectory
from methods.errors import MethodsError


def generator(seed: int, kind: int, number: int) -> np.random.Generator:
    """A generator that depends on (seed, kind, number) alone."""
    return np.random.Generator(np.random.Philox(key=[seed % 2**64, (kind << 56) ^ number]))


class TrainingDataset(Dataset[Item]):
    """Draws of a whole run in order: epoch after epoch of shuffled (trajectory, example) pairs.

    batch: examples of an optimiser step over all processes. micro: those of one forward. tail: EOS tokens kept behind
    the first, "random" for a number drawn per step (mostly small, as the mini base was pretrained), None for all.
    """

    def __init__(
        self,
        trajectories: Sequence[Trajectory],
        objective: Objective,
        *,
        steps: int,
        batch: int,
        micro: int,
        seed: int,
        tail: int | str | None = None,
    ) -> None:
        if not trajectories:
            raise MethodsError("There is nothing to train on: the trajectory set is empty or nothing in it is correct.")
        self.trajectories, self.objective = list(trajectories), objective
        self.steps, self.batch, self.micro, self.seed, self.tail = steps, batch, micro, seed, tail
        counts = [objective.examples(one) for one in self.trajectories]
        self.bounds = np.cumsum(counts)
        self.per_epoch = int(self.bounds[-1])
        self.longest = max(len(one.response) for one in self.trajectories)
        self._epoch, self._order = -1, np.zeros(0, np.int64)

    def __len__(self) -> int:
        return self.steps * self.batch

    def draw(self, number: int) -> Draw:
        """Draw `number` of the run."""
        epoch, place = divmod(number, self.per_epoch)
        if epoch != self._epoch:
            self._epoch, self._order = epoch, generator(self.seed, 1, epoch).permutation(self.per_epoch)
        example = int(self._order[place])
        index = int(np.searchsorted(self.bounds, example, side="right"))
        step = number // self.batch
        return Draw(
            trajectory=self.trajectories[index],
            pick=example - (int(self.bounds[index - 1]) if index else 0),
            rng=generator(self.seed, 2, number),
            shared=generator(self.seed, 3, number // self.micro),
            progress=step / max(self.steps, 1),
            tail=self._tail(step),
        )

    def _tail(self, step: int) -> int | None:
        if self.tail == "random":
            return int(generator(self.seed, 4, step).random() ** 3 * self.longest)
        return None if self.tail is None else int(self.tail)

    def __getitem__(self, number: int) -> Item:
        return self.objective.item(self.draw(number)) | {"draw": number}

    def names(self, numbers: Sequence[int]) -> list[str]:
        """Trajectory ids of draws, for error messages."""
        return [self.draw(int(number)).trajectory.id for number in numbers]


def collate(items: Sequence[Item], pad: int = 0) -> dict[str, Tensor]:
    """Pad arrays on the right to the longest (ids with `pad`, masks with False, weights with 0); stack scalars."""
    batch: dict[str, Tensor] = {}
    for name, first in items[0].items():
        values: list[Any] = [item[name] for item in items]
        if not isinstance(first, np.ndarray):
            batch[name] = torch.tensor(values)
            continue
        fill = pad if first.dtype == np.int64 else 0
        out = np.full((len(values), max(map(len, values))), fill, first.dtype)
        for row, value in zip(out, values, strict=True):
            row[: len(value)] = value
        batch[name] = torch.from_numpy(out)
    return batch
