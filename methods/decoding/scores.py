"""From logits to a token and a cost: the numbers that every commit rule ranks by.

Lower cost is surer: the entropy in nats, or minus a probability or a margin. Sources: confidence, LLaDA (Nie et al.
2025) and Fast-dLLM (Wu et al. 2025); margin and negative entropy, Dream (Ye et al. 2025); entropy threshold,
dParallel (Chen et al. 2025) and d3LLM.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from methods.decoding.noise import gumbel
from methods.decoding.policies import Scorer
from methods.decoding.state import State
from methods.errors import unknown

KINDS = ("probability", "entropy", "margin")


@dataclass(frozen=True)
class Score(Scorer):
    """kind: probability | entropy | margin, in float32, or in float64 where the logits are.

    tempered: the cost is read from the distribution after temperature and top-p (Dream's own sampler).
    With `temperature` among the decoder's values tokens are drawn, `top_p` keeps a nucleus of them.

    Raises MethodsUsageError for another kind.
    """

    kind: str
    tempered: bool = False
    pure: ClassVar[bool] = True
    dtype: ClassVar[torch.dtype] = torch.float32

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise unknown("score", self.kind, KINDS)

    def __call__(self, logits: Tensor, state: State, row: Tensor, pos: Tensor) -> tuple[Tensor, Tensor]:
        """(token [N], cost [N] float64) of `logits` [N, V], which belong to (`row`, `pos`) [N].

        The mask id is never the token; ties go to the lowest id. A row of NaN has a NaN cost.
        """
        logits = logits.to(torch.promote_types(logits.dtype, self.dtype))
        drawn = shown = logits
        if "top_p" in state.values and state.shape.mask_id is not None:  # the mask alone is no nucleus to draw from
            drawn = logits.clone()
            drawn[:, state.shape.mask_id] = -torch.inf
        if "temperature" in state.values:
            apart = drawn is not logits
            drawn = _tempered(drawn, state, row)
            if self.tempered:
                shown = _tempered(logits, state, row) if apart else drawn
        tokens = _argmax(drawn, state, row, pos)
        probs = torch.softmax(self.visible(shown), dim=-1)
        return tokens, self._cost(probs, tokens).double()

    def visible(self, logits: Tensor) -> Tensor:
        """The logits that enter the cost: all of them."""
        return logits

    def entropy(self, probs: Tensor) -> Tensor:
        """[N]: in nats, exact, never negative; 0 log 0 is 0."""
        tiny = torch.finfo(probs.dtype).tiny  # torch.special.entr needs none, but takes ten times as long on a CPU
        return -(probs * probs.clamp_min(tiny).log()).sum(-1)

    def _cost(self, probs: Tensor, tokens: Tensor) -> Tensor:
        if self.kind == "probability":
            return -probs.gather(-1, tokens[:, None])[:, 0]
        if self.kind == "margin":
            top = probs.topk(2, dim=-1).values
            return top[:, 1] - top[:, 0]
        return self.entropy(probs)


CONFIDENCE = Score("probability")
"""The probability of the best token."""


def _argmax(logits: Tensor, state: State, row: Tensor, pos: Tensor) -> Tensor:
    """The best token that is not the mask id; with a temperature, a draw by the Gumbel trick."""
    mask = state.shape.mask_id
    if "temperature" in state.values:
        noise = gumbel(state.seed[row], state.forwards[row], pos, logits.shape[-1])
        warm = (state.values["temperature"][row] > 0)[:, None]
        logits = torch.where(warm, logits + noise, logits)
    if mask is None:
        return logits.max(-1).indices  # as argmax, which takes half as long again on a CPU
    column = logits.select(1, mask)
    kept = column.clone()
    column.fill_(-torch.inf)
    tokens = logits.max(-1).indices
    column.copy_(kept)
    return tokens


def _tempered(logits: Tensor, state: State, row: Tensor) -> Tensor:
    """Logits over the temperature, and with `top_p` below 1 only the nucleus (Holtzman et al. 2020) kept."""
    heat = state.values["temperature"][row].to(logits.dtype)[:, None]
    logits = logits / torch.where(heat > 0, heat, 1)
    if "top_p" not in state.values:
        return logits
    ordered, order = logits.sort(dim=-1, descending=True, stable=True)
    before = torch.softmax(ordered, -1).cumsum(-1) - torch.softmax(ordered, -1)
    outside = before > state.values["top_p"][row].to(logits.dtype)[:, None]
    outside[:, 0] = False
    return logits.masked_fill(torch.zeros_like(outside).scatter(-1, order, outside), torch.finfo(logits.dtype).min)
