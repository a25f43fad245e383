"""TAD (arXiv:2605.09536): tokens the teacher commits soon by cross entropy, later ones by the privileged teacher's KL.

Every state of a trajectory is an example. `delta`, the swept parameter, is how many forward passes ahead count as soon.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from methods.distill import masks
from methods.distill.attention import by_id, by_length
from methods.distill.losses import Mean, hard_sum, kl_sum, near_distant
from methods.distill.objectives.base import Batch, Draw, Item, Models, Tokens, behind, trimmed
from methods.distill.trajectory import Trajectory


@dataclass(frozen=True)
class TemporalSettings:
    """delta: forward passes of one token each. tau: temperature of the KL. compat: the released data: steps
    as recorded, the student is given the privileged prompt, and padding is hidden by id (EOS too if it is the padding).
    """

    delta: int = 8
    tau: float = 1.0
    lambda_ce: float = 1.0
    lambda_kl: float = 1.0
    compat: bool = False


class Temporal:
    """The objective of `tad_quality` and `tad_speed`."""

    def __init__(self, settings: TemporalSettings, tokens: Tokens) -> None:
        self.settings, self.tokens = settings, tokens

    def examples(self, trajectory: Trajectory) -> int:
        """One example for every state, as many as there are tokens up to the first EOS (compat: recorded steps)."""
        if self.settings.compat:
            return max(1, int(trajectory.reveal.max(initial=0)))
        return min(len(trajectory.response), masks.first_eos(trajectory.response, self.tokens.eos) + 1)

    def item(self, draw: Draw) -> Item:
        """input, teacher: the same masked state behind the student's and the teacher's prompt; near, distant."""
        response, reveal = trimmed(draw, self.tokens.eos)
        if not self.settings.compat:
            reveal = masks.ranks(masks.content_first(response, reveal, self.tokens.eos))
        last = max(1, int(reveal.max(initial=0)))
        step = draw.pick if draw.pick < last else int(draw.rng.integers(last))
        near, distant = masks.near_distant(reveal, step, self.settings.delta)
        shown = masks.state(response, reveal, step, self.tokens.mask)
        prompt = draw.trajectory.decoded if self.settings.compat else draw.trajectory.prompt
        student = behind(prompt, shown, response, near, distant)
        teacher, teacher_distant = behind(draw.trajectory.teacher, shown, distant)
        names = ("input", "target", "near", "distant")
        item: Item = dict(zip(names, student, strict=True))
        item |= {"teacher": teacher, "teacher_distant": teacher_distant}
        return item | {"length": len(item["input"]), "teacher_length": len(teacher)}

    def allowed(self, ids: Tensor, lengths: Tensor) -> Tensor:
        """`[B, L]`, what may be read."""
        real = by_length(lengths, ids.shape[1])
        return real & by_id(ids, self.tokens.eos[0]) if self.settings.compat else real

    def loss(self, models: Models, batch: Batch, mean: Mean) -> tuple[Tensor, dict[str, Tensor]]:
        """One student forward, one teacher forward."""
        s, near, distant = self.settings, batch["near"], batch["distant"]
        hidden = models.hidden(batch["input"], self.allowed(batch["input"], batch["length"]))
        ce = hard_sum(models.rows(hidden, near), batch["target"][near], models.head, models.chunk)
        with models.teaching() as (teach, teacher_head):
            states = teach(batch["teacher"], self.allowed(batch["teacher"], batch["teacher_length"]))
            teacher_rows = models.rows(states, batch["teacher_distant"])
            kl = kl_sum(models.rows(hidden, distant), teacher_rows, models.head, teacher_head, s.tau, models.chunk)
        counts = [torch.tensor(float(where.sum()), device=ce.device) for where in (near, distant)]
        return near_distant(
            ce, counts[0], kl, counts[1], lambda_ce=s.lambda_ce, lambda_kl=s.lambda_kl, tau=s.tau, mean=mean
        )
