"""From logits to a token and a cost: the numbers that every commit rule ranks by.

Lower cost is surer: the entropy in nats, or minus a probability or a margin. Sources: confidence, LLaDA (Nie et al.
2025) and Fast-dLLM (Wu et al. 2025); margin and negative entropy, Dream (Ye et al. 2025); entropy threshold,
dParallel (Chen et al. 2025) and d3LLM.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from methods.decoding.noise import gumbel
from methods.decoding.rows import Rows


@dataclass(frozen=True)
class Score:
    """kind: probability | entropy | margin. precision: float32 or float64.

    eps: the references add it inside the logarithm of the entropy; None is the exact entropy, never negative.
    tempered: the cost is read from the distribution after temperature and top-p (Dream's own sampler).
    top_k: only the k best logits enter it. Dream's reference samplers never ask for this: transformers'
    GenerationConfig has 50 as its default, and they pass that on.
    """

    kind: str
    precision: str = "float32"
    eps: float | None = None
    tempered: bool = False
    top_k: int | None = None

    def start(self, rows: Rows) -> None:
        """Nothing to remember."""

    def __call__(self, logits: Tensor, rows: Rows, row: Tensor, pos: Tensor) -> tuple[Tensor, Tensor]:
        """(token [N], cost [N] float64) of `logits` [N, V], which belong to (`row`, `pos`) [N].

        The mask id is never the token; ties go to the lowest id. A row of NaN has a NaN cost.
        """
        logits = logits.to(getattr(torch, self.precision))
        drawn = shown = logits
        if "top_p" in rows.values and rows.shape.never is not None:  # a nucleus of the mask alone has no token to draw
            drawn = logits.clone()
            drawn[:, rows.shape.never] = -torch.inf
        if "temperature" in rows.values:
            apart = drawn is not logits
            drawn = _tempered(drawn, rows, row)
            if self.tempered:
                shown = _tempered(logits, rows, row) if apart else drawn
        tokens = _argmax(drawn, rows, row, pos)
        if self.top_k is not None and self.top_k < shown.shape[-1]:
            least = shown.topk(self.top_k, dim=-1).values[:, -1:]
            shown = shown.masked_fill(shown < least, torch.finfo(shown.dtype).min)
        probs = torch.softmax(shown, dim=-1)
        return tokens, self._cost(probs, tokens).double()

    def _cost(self, probs: Tensor, tokens: Tensor) -> Tensor:
        if self.kind == "probability":
            return -probs.gather(-1, tokens[:, None])[:, 0]
        if self.kind == "margin":
            top = probs.topk(2, dim=-1).values
            return top[:, 1] - top[:, 0]
        if self.eps is None:  # 0 log 0 is 0; torch.special.entr says so itself, ten times slower on a CPU
            return -(probs * probs.clamp_min(torch.finfo(probs.dtype).tiny).log()).sum(-1)
        return -(probs * torch.log(probs + self.eps)).sum(-1)


def _argmax(logits: Tensor, rows: Rows, row: Tensor, pos: Tensor) -> Tensor:
    """The best token that is not the mask id; with a temperature, a draw by the Gumbel trick."""
    mask = rows.shape.never
    if "temperature" in rows.values:
        noise = gumbel(rows.seed[row], rows.forwards[row], pos, logits.shape[-1])
        warm = (rows.values["temperature"][row] > 0)[:, None]
        logits = torch.where(warm, logits + noise, logits)
    if mask is None:
        return logits.max(-1).indices  # as argmax, which takes half as long again on a CPU
    column = logits.select(1, mask)
    kept = column.clone()
    column.fill_(-torch.inf)
    tokens = logits.max(-1).indices
    column.copy_(kept)
    return tokens


def _tempered(logits: Tensor, rows: Rows, row: Tensor) -> Tensor:
    """Logits over the temperature, and with `top_p` below 1 only the nucleus (Holtzman et al. 2020) kept."""
    heat = rows.values["temperature"][row].to(logits.dtype)[:, None]
    logits = logits / torch.where(heat > 0, heat, 1)
    if "top_p" not in rows.values:
        return logits
    ordered, order = logits.sort(dim=-1, descending=True, stable=True)
    before = torch.softmax(ordered, -1).cumsum(-1) - torch.softmax(ordered, -1)
    outside = before > rows.values["top_p"][row].to(logits.dtype)[:, None]
    outside[:, 0] = False
    return logits.masked_fill(torch.zeros_like(outside).scatter(-1, order, outside), torch.finfo(logits.dtype).min)
