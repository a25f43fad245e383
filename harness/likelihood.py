"""log p(continuation | context): exact for autoregressive models, LLaDA's Monte-Carlo bound for masked diffusion.

The bound (Nie et al., "Large Language Diffusion Models", arXiv:2502.09992, appendix on likelihood evaluation):
log p(x | c) >= E over l ~ U{1..L}, over the l masked places drawn without replacement, of
(L / l) * sum over masked i of log p(x_i | c, the unmasked rest). `mc_num` draws, stratified in l.
Draws are seeded by the request's own ids, so order, batch size and neighbours change nothing.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.errors import UsageError

if TYPE_CHECKING:
    from torch import Tensor

Pair = tuple[Sequence[int], Sequence[int]]


@dataclass(frozen=True)
class Estimate:
    """value: log-likelihood (or its bound) in nats. stderr: of the Monte-Carlo mean, 0 when exact.

    greedy: whether greedy decoding would give the continuation; always False for masked diffusion, where
    finding out takes as many forward passes as there are tokens. draws: masked rows evaluated.
    """

    value: float
    stderr: float
    greedy: bool
    draws: int


def loglikelihood(
    backbone: Any, pairs: Sequence[Pair], *, mc_num: int = 128, seed: int = 0, batch_size: int = 16
) -> list[tuple[float, bool]]:
    """(value, greedy) of each (context ids, continuation ids), in order: what lm-eval asks of a model."""
    found = estimate(backbone, pairs, mc_num=mc_num, seed=seed, batch_size=batch_size)
    return [(one.value, one.greedy) for one in found]


def estimate(
    backbone: Any, pairs: Sequence[Pair], *, mc_num: int = 128, seed: int = 0, batch_size: int = 16
) -> list[Estimate]:
    """The estimates with their errors. A context that does not fit loses its left end, with a note on stderr.

    Raises UsageError for mc_num or batch_size below 1, an empty context or continuation, or a continuation
    longer than the model's context.
    """
    import torch

    for name, value in (("mc_num", mc_num), ("batch_size", batch_size)):
        if value < 1:
            raise UsageError(f"{name}={value} is not allowed: {name} is an integer of at least 1.")
    if backbone.arch == "block":
        raise UsageError("A block diffusion checkpoint has no likelihood here; use tasks that generate.")
    fitted = [_fit(pair, backbone.max_positions) for pair in pairs]
    cut = sum(len(new[0]) < len(old[0]) for new, old in zip(fitted, pairs, strict=True))
    if cut:
        print(f"harness: {cut} contexts are longer than the model's and lost their left end.", file=sys.stderr)
    with torch.inference_mode():
        if backbone.causal:
            return _exact(backbone, fitted, batch_size)
        return [_bound(backbone, pair, mc_num, seed, batch_size) for pair in fitted]


def _fit(pair: Pair, context_length: int) -> tuple[list[int], list[int]]:
    context, continuation = list(pair[0]), list(pair[1])
    if not context or not continuation:
        raise UsageError("A likelihood needs at least one token of context and one of continuation.")
    if len(continuation) >= context_length:
        raise UsageError(f"A continuation of {len(continuation)} tokens does not fit the context of {context_length}.")
    return context[-(context_length - len(continuation)) :], continuation


def draws(length: int, mc_num: int, seed: int, ids: Sequence[int]) -> Tensor:
    """The masked places of each draw, bool `[mc_num, length]`; one single draw when only one exists."""
    import torch

    if length == 1:
        return torch.ones(1, 1, dtype=torch.bool)
    key = hashlib.sha256(f"{seed}|{','.join(map(str, ids))}".encode()).digest()
    maker = torch.Generator().manual_seed(int.from_bytes(key[:8], "little") >> 1)
    first = int(torch.randint(1, length + 1, (), generator=maker))
    counts = (first - 1 + (torch.arange(mc_num) * length) // mc_num) % length + 1
    order = torch.rand(mc_num, length, generator=maker).argsort(dim=1).argsort(dim=1)
    return order < counts[:, None]


def _bound(backbone: Any, pair: tuple[list[int], list[int]], mc_num: int, seed: int, batch_size: int) -> Estimate:
    import torch

    context, continuation = pair
    length, start = len(continuation), len(context)
    masks = draws(length, mc_num, seed, [*context, -1, *continuation]).to(backbone.device)
    target = torch.tensor(continuation, device=backbone.device)
    ids = torch.tensor(context + continuation, device=backbone.device)
    values = []
    for chunk in masks.split(batch_size):
        rows = ids.expand(len(chunk), -1).clone()
        rows[:, start:][chunk] = backbone.special.mask
        at = torch.arange(len(ids), device=backbone.device).expand_as(rows)
        hidden = backbone.hidden(rows, at)[:, start - backbone.shift : start - backbone.shift + length]
        logits = backbone.head(hidden[chunk]).float()
        wanted = target.expand(len(chunk), -1)[chunk]
        scores = logits.log_softmax(-1).gather(1, wanted[:, None])[:, 0].double()
        each = torch.zeros(chunk.shape, dtype=torch.float64, device=scores.device)
        each[chunk] = scores
        values.append(each.sum(1) * length / chunk.sum(1))
    found = torch.cat(values)
    error = float(found.std() / len(found) ** 0.5) if len(found) > 1 else 0.0
    return Estimate(float(found.mean()), error, False, len(found))


def _exact(backbone: Any, pairs: Sequence[tuple[list[int], list[int]]], batch_size: int) -> list[Estimate]:
    """Teacher-forced scores; rows are padded on the right, where a causal model does not look."""
    import torch

    order = sorted(range(len(pairs)), key=lambda n: -sum(map(len, pairs[n])))
    found: dict[int, Estimate] = {}
    for start in range(0, len(order), batch_size):
        members = order[start : start + batch_size]
        lines = [pairs[n][0] + pairs[n][1] for n in members]
        width = max(map(len, lines))
        ids = torch.tensor([line + [backbone.special.pad] * (width - len(line)) for line in lines])
        ids = ids.to(backbone.device)
        hidden = backbone.hidden(ids, torch.arange(width, device=ids.device).expand_as(ids))
        for row, n in enumerate(members):
            context, continuation = pairs[n]
            rows = hidden[row, len(context) - 1 : len(context) + len(continuation) - 1]
            scores = backbone.head(rows).float().log_softmax(-1)
            target = torch.tensor(continuation, device=scores.device)
            greedy = bool((scores.argmax(-1) == target).all())
            value = float(scores.gather(1, target[:, None]).double().sum())
            found[n] = Estimate(value, 0.0, greedy, 1)
    return [found[n] for n in range(len(pairs))]
