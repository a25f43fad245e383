"""The student and its teacher as one module whose forward is the loss, so that DDP, FSDP and DeepSpeed can wrap it.

With LoRA the teacher is the student with its adapter switched off: no second copy of the weights. With full
fine-tuning the teacher has to be a frozen copy, held outside the module tree (it is neither wrapped nor saved).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from methods.distill.objectives import Objective
from methods.distill.objectives.base import Batch

LOGIT_BYTES = 512 * 2**20


def rows_per_chunk(vocab: int) -> int:
    """How many rows of float32 logits fit in the memory set aside for one chunk."""
    return max(64, LOGIT_BYTES // (4 * vocab))


def global_mean(total: Tensor, count: Tensor) -> Tensor:
    """`total / count` with the count of all processes, scaled so that averaged gradients are those of one process.

    DDP averages gradients over processes: mean_p(world * total_p / sum_p count_p) = sum_p total_p / sum_p count_p.
    """
    if not (dist.is_available() and dist.is_initialized()) or dist.get_world_size() == 1:
        return total / count.clamp(min=1)
    everyone = count.detach().clone()
    dist.all_reduce(everyone)
    return total * dist.get_world_size() / everyone.clamp(min=1)


def base_of(model: Any) -> Any:
    """transformers' `...ForCausalLM` under a PEFT wrapper, if there is one."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model


def forward(model: Any, ids: Tensor, allowed: Tensor | None, positions: Tensor | None, causal: bool) -> Tensor:
    """Final hidden states `[B, L, D]` of a transformers causal LM; allowed `[B, L]` or `[B, L, L]`, True = may read."""
    if positions is None:
        positions = torch.arange(ids.shape[1], device=ids.device)[None].expand(ids.shape[0], -1)
    if allowed is not None and (allowed.dim() == 3 or not bool(allowed.all())):
        four = allowed[:, None] if allowed.dim() == 3 else allowed[:, None, None, :]
        if causal and allowed.dim() == 2:
            four = four & torch.ones(ids.shape[1], ids.shape[1], dtype=torch.bool, device=ids.device).tril()
        mask: Tensor | None = four.expand(-1, -1, ids.shape[1], -1)
    else:
        mask = None
    trunk = base_of(model).model
    options = {} if causal else {"is_causal": False}
    return trunk(input_ids=ids, attention_mask=mask, position_ids=positions, use_cache=False, **options)[0]


class Distiller(nn.Module):
    """student: transformers' model, plain or PEFT. teacher: a frozen copy, None when the adapter is switched off.

    Calling it with a collated batch gives `{"loss": scalar, "parts": {name: scalar}}`.
    """

    def __init__(self, student: Any, objective: Objective, *, shift: int, causal: bool, teacher: Any = None) -> None:
        super().__init__()
        self.student, self.objective = student, objective
        self.shift, self.causal = shift, causal
        self._teacher = [teacher]  # a list hides it from the module tree
        self.chunk: int | None = rows_per_chunk(base_of(student).lm_head.weight.shape[0])

    def hidden(self, ids: Tensor, allowed: Tensor | None = None, positions: Tensor | None = None) -> Tensor:
        """Student forward, `[B, L, D]`. With a 3-D mask a causal student reads exactly what the mask allows."""
        return forward(self.student, ids, allowed, positions, self.causal)

    def head(self, rows: Tensor) -> Tensor:
        """Student logits `[..., V]`."""
        return base_of(self.student).lm_head(rows)

    def rows(self, hidden: Tensor, where: Tensor) -> Tensor:
        """`hidden [B, L, D]` at the rows that score `where [B, L]`; position 0 of a shifted backbone scores itself."""
        if self.shift:
            hidden = torch.cat([hidden[:, :1], hidden[:, :-1]], 1)
        return hidden[where]

    @contextmanager
    def teaching(self) -> Iterator[tuple[Callable[..., Tensor], Callable[[Tensor], Tensor]]]:
        """The frozen teacher's (hidden, head); everything inside runs in evaluation mode for the teacher only."""
        teacher = self._teacher[0]
        if teacher is not None:
            yield self._frozen(teacher), base_of(teacher).lm_head
            return
        student, training = self.student, self.student.training

        def teach(ids: Tensor, allowed: Tensor | None = None, positions: Tensor | None = None) -> Tensor:
            student.eval()
            try:
                with torch.no_grad(), student.disable_adapter():
                    return forward(student, ids, allowed, positions, self.causal)
            finally:
                student.train(training)

        yield teach, base_of(student).lm_head

    def _frozen(self, teacher: Any) -> Callable[..., Tensor]:
        def teach(ids: Tensor, allowed: Tensor | None = None, positions: Tensor | None = None) -> Tensor:
            if next(teacher.parameters()).device != ids.device:
                teacher.to(ids.device)
            with torch.no_grad():
                return forward(teacher, ids, allowed, positions, self.causal)

        return teach

    def forward(self, **batch: Any) -> dict[str, Any]:
        """The objective's loss on a collated batch."""
        tensors: Batch = {name: value for name, value in batch.items() if isinstance(value, Tensor)}
        loss, parts = self.objective.loss(self, tensors, global_mean)
        return {"loss": loss, "parts": {name: value.detach() for name, value in parts.items()}}
