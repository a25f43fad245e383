"""The state of a batch: one row a prompt, everything a tensor with the row first, so that no step loops over rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from methods.decoding.request import KINDS, Request

NAN, STUCK = 1, 2


@dataclass(frozen=True)
class Shape:
    """What all rows of a batch share. width: positions of the longest canvas; eos: [E] ids, the first fills tails.

    mask: what open slots hold (padding on autoregressive backbones). never: the id that is no token, None there.
    blocks: the most blocks any of the rows has. vocab: ids that the head scores.
    """

    width: int
    mask: int
    eos: Tensor
    shift: int
    device: torch.device
    blocks: int = 1
    vocab: int = 0
    never: int | None = None

    @cached_property
    def pos(self) -> Tensor:
        """[1, width] absolute positions."""
        return torch.arange(self.width, device=self.device)[None]

    @cached_property
    def block(self) -> Tensor:
        """[1, blocks]: 0, 1, ..."""
        return torch.arange(self.blocks, device=self.device)[None]


@dataclass
class Rows:
    """B rows on a canvas of C positions: prompt, then generation slots, then nothing (`pos >= total`).

    ids [B, C] int64. gen [B, C] bool: generation slots. open [B, C] bool: those without a token yet (a mask id in a
    prompt is prompt, never open).
    reveal [B, C]: the forward (1-based) that first filled a slot. prompt, total [B]: lengths. done [B] bool.
    bad [B]: 0, or what went wrong (NAN, STUCK), reported with the next plan.
    forwards [B]: forwards run; kinds [B, 4]: the same by KINDS; phantom [B]: what the reference reports on top.
    own: the policies' memory; values: the setting's numbers; both with the row first.
    """

    shape: Shape
    ids: Tensor
    gen: Tensor
    open: Tensor
    reveal: Tensor
    prompt: Tensor
    total: Tensor
    seed: Tensor
    forwards: Tensor
    kinds: Tensor
    phantom: Tensor
    positions: Tensor
    revisions: Tensor
    done: Tensor
    bad: Tensor
    values: dict[str, Tensor] = field(default_factory=dict)
    own: dict[str, Tensor] = field(default_factory=dict)

    @classmethod
    def start(cls, shape: Shape, requests: Sequence[Request]) -> Rows:
        """Fresh rows of `requests`; the only place that walks over them in Python."""
        count, device = len(requests), shape.device
        prompts = [request.prompt_ids for request in requests]
        ids = torch.tensor([[*prompt, *[shape.mask] * (shape.width - len(prompt))] for prompt in prompts])
        prompt = torch.tensor([len(ids) for ids in prompts], device=device)
        lengths = torch.tensor([request.gen_length for request in requests], device=device)
        total = prompt + lengths
        values = {
            name: torch.tensor([request.decoder.values[name] for request in requests], dtype=_dtype(value))
            for name, value in requests[0].decoder.values.items()
        }
        if "block_size" in values:  # 0: the whole generation is one block
            values["block_size"] = torch.where(values["block_size"] > 0, values["block_size"], lengths.cpu())
        zero = torch.zeros(count, dtype=torch.long, device=device)
        gen = (shape.pos >= prompt[:, None]) & (shape.pos < total[:, None])
        return cls(
            shape=shape,
            ids=ids.to(device),
            gen=gen,
            open=gen.clone(),
            reveal=torch.zeros(count, shape.width, dtype=torch.long, device=device),
            prompt=prompt,
            total=total,
            seed=torch.tensor([request.seed for request in requests], dtype=torch.long, device=device),
            forwards=zero.clone(),
            kinds=torch.zeros(count, len(KINDS), dtype=torch.long, device=device),
            phantom=zero.clone(),
            positions=zero.clone(),
            revisions=zero.clone(),
            done=torch.zeros(count, dtype=torch.bool, device=device),
            bad=zero.clone(),
            values={name: value.to(device) for name, value in values.items()},
        )

    def __len__(self) -> int:
        return self.ids.shape[0]

    def _tensors(self) -> list[tuple[str, str | None]]:
        plain = [(item.name, None) for item in fields(self) if item.name not in ("shape", "values", "own")]
        return [*plain, *(("values", name) for name in self.values), *(("own", name) for name in self.own)]

    def take(self, rows: Tensor) -> Rows:
        """The rows numbered `rows` (int64 tensor), as a copy."""
        parts = {item.name: getattr(self, item.name) for item in fields(self)}
        for name, key in self._tensors():
            if key is None:
                parts[name] = parts[name][rows]
        parts["values"] = {key: value[rows] for key, value in self.values.items()}
        parts["own"] = {key: value[rows] for key, value in self.own.items()}
        return Rows(**parts)

    def put(self, rows: Tensor, other: Rows) -> None:
        """Overwrite the rows numbered `rows` with those of `other`."""
        for name, key in self._tensors():
            target, source = getattr(self, name), getattr(other, name)
            if key is None:
                target[rows] = source
            else:
                target[key][rows] = source[key]

    def is_eos(self) -> Tensor:
        """[B, C]: generation slots that hold an EOS or EOT token."""
        return torch.isin(self.ids, self.shape.eos) & ~self.open & self.gen

    def fill(self, where: Tensor, token: int | Tensor) -> None:
        """Write `token` on `where` [B, C] between two forwards; counts revisions and first reveals."""
        ids = torch.where(where, token, self.ids)
        self.revisions += ((ids != self.ids) & ~self.open).sum(1)
        self.reveal = torch.where(where & (self.reveal == 0), self.forwards[:, None], self.reveal)
        self.ids, self.open = ids, self.open & ~where


@dataclass
class Plan:
    """One coming forward of every row.

    eligible [B, C]: slots that may be committed. scored [B, C]: positions whose logits are needed (eligible, rarely
    one more). must [B, 2]: the span that has to progress, or None. start, stop [B]: the window of positions to
    recompute. kind [B]: index into KINDS.
    """

    eligible: Tensor
    scored: Tensor
    start: Tensor
    stop: Tensor
    kind: Tensor
    must: Tensor | None = None

    def take(self, rows: Tensor) -> Plan:
        """The plan of the rows numbered `rows`."""
        parts: dict[str, Any] = {name: None if value is None else value[rows] for name, value in vars(self).items()}
        return Plan(**parts)

    def put(self, rows: Tensor, other: Plan) -> None:
        """Replace the plan of the rows numbered `rows`; in new tensors, because a plan shares its own with others."""
        for name, value in vars(self).items():
            if value is not None:
                setattr(self, name, value.index_put((rows,), getattr(other, name)))


def _dtype(value: float | int | bool) -> torch.dtype:
    if isinstance(value, bool):
        return torch.bool
    return torch.long if isinstance(value, int) else torch.float64
