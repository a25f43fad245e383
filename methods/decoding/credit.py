"""CreditDecoding (Wang et al. 2025, arXiv:2510.06133): tokens that keep being the best one gain weight."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from methods.decoding.policies import Scorer
from methods.decoding.scores import CONFIDENCE
from methods.decoding.state import State


@dataclass(frozen=True)
class Credit(Scorer):
    """Score of the logits plus alpha ln(1 + credit), where credit remembers the best tokens of a block's forwards.

    In every forward of a block the credit of a slot decays by `beta` and its best token gains its probability to the
    power `gamma`. The credit starts at 0 with the block. kept: slots of the largest block, 0 for the whole canvas;
    own: `credit` [B, kept, V] float32 (16 MB a row at a vocabulary of 126k and blocks of 32). Needs `Sequential`.
    """

    kept: int
    score: Scorer = CONFIDENCE
    memory = ("credit",)
    needs = ("step",)
    values = ("alpha", "gamma", "beta")

    def start(self, state: State) -> None:
        """No credit yet."""
        slots = min(self.kept or state.shape.width, state.shape.width)
        state.own["credit"] = torch.zeros(len(state), slots, state.shape.vocab, device=state.ids.device)

    def __call__(self, logits: Tensor, state: State, row: Tensor, pos: Tensor) -> tuple[Tensor, Tensor]:
        """Token and cost of the logits with their credit."""
        credit = state.own["credit"]
        place = (pos - state.prompt[row]) % credit.shape[1]
        plain = logits.float()
        if state.shape.mask_id is not None:
            plain = plain.clone()
            plain[:, state.shape.mask_id] = -torch.inf
        best, token = plain.softmax(-1).max(-1)
        begins = state.own["step"][row] == 0
        decay = torch.where(begins, 0, state.values["beta"][row]).float()
        now = credit[row, place] * decay[:, None]
        now.scatter_add_(1, token[:, None], (best ** state.values["gamma"][row].float())[:, None])
        credit[row, place] = now
        weight = state.values["alpha"][row].float()[:, None]
        return self.score(logits + weight * now.log1p(), state, row, pos)
