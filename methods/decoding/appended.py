"""Positions beyond the canvas that a forward computes as well: a second, differently masked view of some slots."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass
class Appended:
    """E positions that every row of one forward computes behind its window.

    ids, positions [B, E]: what they hold, and their absolute positions (several may share one, or a slot's).
    reads [B, E, C + E] bool: what each of them may attend to, canvas first, the appended ones after it.
    used [B, E] bool: False on padding of rows that append fewer. scored [B, E] bool: whose logits
    `Scorer.appended` gets. read_by [B, C, E] bool: which canvas positions read them; None for none.
    """

    ids: Tensor
    positions: Tensor
    reads: Tensor
    used: Tensor
    scored: Tensor
    read_by: Tensor | None = None

    def join(self, ids: Tensor, positions: Tensor, width: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(ids, positions [B, W + E], readable [B, W + E, W + E]) of the window at `positions` [B, W] with these.

        width [B]: how much of the window each row uses.
        """
        rows, size = ids.shape
        extra, canvas = self.used.shape[1], self.reads.shape[2] - self.used.shape[1]
        inside = torch.arange(size, device=ids.device)[None] < width[:, None]
        readable = torch.zeros(rows, size + extra, size + extra, dtype=torch.bool, device=ids.device)
        readable[:, :size, :size] = inside[:, None, :]
        if self.read_by is not None:
            at = positions[:, :, None].expand(-1, -1, extra)
            readable[:, :size, size:] = self.read_by.gather(1, at) & self.used[:, None, :]
        at = positions[:, None, :].expand(-1, extra, -1)
        readable[:, size:, :size] = self.reads[:, :, :canvas].gather(2, at) & inside[:, None, :]
        readable[:, size:, size:] = self.reads[:, :, canvas:] & self.used[:, None, :]
        # what is not used must still read something: a softmax over nothing is no number, and spreads
        readable[:, size:, :size] |= ~self.used[:, :, None] & inside[:, None, :]
        return torch.cat([ids, self.ids], 1), torch.cat([positions, self.positions], 1), readable
