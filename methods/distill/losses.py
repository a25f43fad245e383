"""The distillation losses as pure functions: sums over rows in chunks, then ratios of sums.

A *row* is one scored position. Every loss takes `rows [N, D]` (hidden states of the scored positions) and `head`,
the function that turns rows into logits `[n, V]`; with `head=identity` the rows are the logits. Logits of an 8B model
are 126k wide, so rows go through `head` and a float32 softmax in chunks that are recomputed in the backward pass:
value and gradient equal those of one big chunk, the memory is that of one chunk.

Sources: d3LLM (arXiv:2601.07568, `d3llm_llada_train.py`, `d3llm_dream_train.py`), dParallel (arXiv:2509.26488),
TAD (arXiv:2605.09536, `train_llada.py`), D2F (arXiv:2508.09192), Fast-dLLM v2 (arXiv:2509.26328), MDLM
(arXiv:2406.07524).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.checkpoint import checkpoint

Head = Callable[[Tensor], Tensor]
Mean = Callable[[Tensor, Tensor], Tensor]
EPS = 1e-12


def identity(rows: Tensor) -> Tensor:
    """The head of rows that are logits already."""
    return rows


def ratio(total: Tensor, count: Tensor) -> Tensor:
    """`total / count`, and 0 (with the gradient of 0 * total) when nothing was counted."""
    return total / count.clamp(min=1)


def chunked(function: Callable[..., Tensor], tensors: tuple[Tensor, ...], chunk: int | None) -> Tensor:
    """Sum of `function(*slices)` over slices of `chunk` rows of `tensors` (each `[N, ...]`).

    `function` returns a vector of sums `[K]`. Each chunk is recomputed in the backward pass, so only one chunk's
    logits live at a time. `chunk=None` is one call.
    """
    rows = tensors[0].shape[0]
    if chunk is None or rows <= chunk:
        return function(*tensors)
    parts = []
    for start in range(0, rows, chunk):
        piece = [tensor[start : start + chunk] for tensor in tensors]
        if torch.is_grad_enabled():
            parts.append(checkpoint(function, *piece, use_reentrant=False, preserve_rng_state=False))
        else:
            parts.append(function(*piece))
    return torch.stack(parts).sum(0)


def entropy(logits: Tensor, temperature: float = 1.0) -> Tensor:
    """Shannon entropy in nats of softmax(logits / temperature), `[n, V] -> [n]`, float32, 1e-12 inside the log."""
    p = torch.softmax(logits.float() / temperature, -1)
    return -(p * torch.log(p + EPS)).sum(-1)


def forward_kl(student: Tensor, teacher: Tensor, tau: float = 1.0) -> Tensor:
    """KL(teacher || student) in nats at temperature tau, `[n, V], [n, V] -> [n]`, float32; not multiplied by tau^2."""
    log_p = F.log_softmax(teacher.float() / tau, -1)
    log_q = F.log_softmax(student.float() / tau, -1)
    return (log_p.exp() * (log_p - log_q)).sum(-1)


@dataclass(frozen=True)
class Certainty:
    """Sums over the masked rows of one view: cross entropy, entropy of the rows already right, and both counts."""

    ce: Tensor
    entropy: Tensor
    count: Tensor
    right: Tensor


def certainty(rows: Tensor, targets: Tensor, head: Head, temperature: float, chunk: int | None = None) -> Certainty:
    """Cross entropy on every row and entropy of softmax(z / temperature) where the argmax is the target.

    rows `[N, D]`, targets `[N]`. The set of right rows is a hard selection; the entropy itself is differentiable
    (dParallel's certainty forcing, also d3LLM's regulariser).
    """

    def sums(part: Tensor, target: Tensor) -> Tensor:
        logits = head(part).float()
        right = (logits.argmax(-1) == target).float()
        ce = F.cross_entropy(logits, target, reduction="sum")
        return torch.stack([ce, (entropy(logits, temperature) * right).sum(), right.sum()])

    total = chunked(sums, (rows, targets), chunk)
    count = torch.tensor(float(rows.shape[0]), device=rows.device)
    return Certainty(total[0], total[1], count, total[2].detach())


def certainty_forcing(
    view: Certainty,
    complement: Certainty | None,
    *,
    entropy_weight: float,
    entropy_both: bool,
    divisor: float = 1.0,
    mean: Mean = ratio,
) -> tuple[Tensor, dict[str, Tensor]]:
    """(CE + CE_rev + w * (H [+ H_rev])) / divisor over a view and its complementary view.

    d3LLM: divisor 4 (a literal of the reference), H of the first view only for LLaDA, of both for Dream.
    dParallel: divisor 1, both. Returns the loss and its unweighted parts.
    """
    parts = {"ce": mean(view.ce, view.count), "entropy": mean(view.entropy, view.right)}
    loss = parts["ce"] + entropy_weight * parts["entropy"]
    if complement is not None:
        parts["ce_rev"] = mean(complement.ce, complement.count)
        parts["entropy_rev"] = mean(complement.entropy, complement.right)
        loss = loss + parts["ce_rev"]
        if entropy_both:
            loss = loss + entropy_weight * parts["entropy_rev"]
    return loss / divisor, parts


def hard_sum(
    rows: Tensor, targets: Tensor, head: Head, chunk: int | None = None, weight: Tensor | None = None
) -> Tensor:
    """Sum of (weighted) cross entropies of rows `[N, D]` against targets `[N]`, weight `[N]`."""
    scale = torch.ones(rows.shape[0], device=rows.device) if weight is None else weight

    def sums(part: Tensor, target: Tensor, factor: Tensor) -> Tensor:
        return (F.cross_entropy(head(part).float(), target, reduction="none") * factor).sum()[None]

    return chunked(sums, (rows, targets, scale), chunk)[0]


def kl_sum(
    rows: Tensor, teacher_rows: Tensor, head: Head, teacher_head: Head, tau: float, chunk: int | None = None
) -> Tensor:
    """Sum over rows of KL(teacher || student) at temperature tau; rows and teacher_rows `[N, D]`, teacher detached."""

    def sums(part: Tensor, teacher: Tensor) -> Tensor:
        with torch.no_grad():
            target = teacher_head(teacher)
        return forward_kl(head(part), target, tau).sum()[None]

    return chunked(sums, (rows, teacher_rows.detach()), chunk)[0]


def near_distant(
    ce: Tensor,
    near: Tensor,
    kl: Tensor,
    distant: Tensor,
    *,
    lambda_ce: float,
    lambda_kl: float,
    tau: float,
    mean: Mean = ratio,
) -> tuple[Tensor, dict[str, Tensor]]:
    """TAD: lambda_ce * CE over near tokens + lambda_kl * tau^2 * KL over distant tokens.

    ce, kl: sums; near, distant: how many tokens each sum holds. An empty set gives 0.
    """
    parts = {"ce": mean(ce, near), "kl": mean(kl, distant) * tau**2}
    return lambda_ce * parts["ce"] + lambda_kl * parts["kl"], parts


def soft_sum(
    rows: Tensor, teacher_rows: Tensor, weight: Tensor, head: Head, teacher_head: Head, chunk: int | None = None
) -> Tensor:
    """D2F: sum over rows of weight * CE(student, softmax(teacher)); weight `[N]` = 1 / mask probability of the row."""

    def sums(part: Tensor, teacher: Tensor, factor: Tensor) -> Tensor:
        with torch.no_grad():
            p = torch.softmax(teacher_head(teacher).float(), -1)
        return -((p * F.log_softmax(head(part).float(), -1)).sum(-1) * factor).sum()[None]

    return chunked(sums, (rows, teacher_rows.detach(), weight), chunk)[0]
