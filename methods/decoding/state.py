"""The state of a batch: one row per prompt, every tensor with the row first, so that no step loops over rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property

import torch
from torch import Tensor

from methods.decoding.forwards import KINDS
from methods.errors import MethodsError

NAN, STUCK = 1, 2


@dataclass(frozen=True)
class Shape:
    """What all rows of a batch share.

    width: positions of the longest canvas. placeholder: the id that open slots hold (the mask, padding on
    autoregressive backbones). eos: [E] ids, the first one fills tails. blocks: the most blocks any row has.
    vocab: ids that the head scores. mask_id: the id that is never a token, None where there is none.
    """

    width: int
    placeholder: int
    eos: Tensor
    shift: int
    device: torch.device
    blocks: int = 1
    vocab: int = 0
    mask_id: int | None = None

    @cached_property
    def pos(self) -> Tensor:
        """[1, width] absolute positions."""
        return torch.arange(self.width, device=self.device)[None]

    @cached_property
    def block(self) -> Tensor:
        """[1, blocks]: 0, 1, ..."""
        return torch.arange(self.blocks, device=self.device)[None]


class Memory(dict[str, Tensor]):
    """What policies remember from forward to forward, by name, each tensor with the row first.

    Once `complete`, no name can be added: rows that join the batch later would lack it.
    Raises MethodsError naming the memory for one that is read or written without having been made in `start`.
    """

    complete = False

    def __setitem__(self, name: str, value: Tensor) -> None:
        if self.complete and name not in self:
            raise MethodsError(
                f"The memory {name!r} is first written after decoding began; make it in a policy's `start`, so that "
                "rows that join the batch later have it too."
            )
        super().__setitem__(name, value)

    def __missing__(self, name: str) -> Tensor:
        made = ", ".join(sorted(self)) or "nothing"
        raise MethodsError(f"No policy of this decoder makes the memory {name!r} in its `start`; they make {made}.")

    def take(self, rows: Tensor) -> Memory:
        """The memory of the rows numbered `rows`, as a copy."""
        taken = Memory({name: value[rows] for name, value in self.items()})
        taken.complete = self.complete
        return taken


@dataclass
class State:
    """B rows on a canvas of C positions: prompt, then generation slots, then nothing (`pos >= total`).

    ids [B, C] int64. gen [B, C] bool: generation slots. open [B, C] bool: those without a token yet (a mask id in a
    prompt is prompt, never open).
    reveal [B, C]: the forward (1-based) that first filled a slot. tokens [B, C]: the best token of every scored
    position of the forward that just ran, for policies to read. prompt, total [B]: lengths. done [B] bool.
    bad [B]: 0, or what went wrong (NAN, STUCK), reported with the next plan.
    forwards [B]: forwards run; kinds [B, 4]: the same by KINDS. positions [B]: token positions computed.
    values: the numbers of each row's setting. own: the policies' memory. Both by name, with the row first.
    """

    shape: Shape
    ids: Tensor
    gen: Tensor
    open: Tensor
    reveal: Tensor
    tokens: Tensor
    prompt: Tensor
    total: Tensor
    seed: Tensor
    forwards: Tensor
    kinds: Tensor
    positions: Tensor
    revisions: Tensor
    done: Tensor
    bad: Tensor
    values: dict[str, Tensor] = field(default_factory=dict)
    own: Memory = field(default_factory=Memory)

    @classmethod
    def start(
        cls,
        shape: Shape,
        prompts: Sequence[Sequence[int]],
        lengths: Sequence[int],
        values: Sequence[Mapping[str, float | int | bool]],
        seeds: Sequence[int],
    ) -> State:
        """Fresh rows; the only place that walks over them in Python. values: one mapping per row, with equal names."""
        count, device = len(prompts), shape.device
        ids = torch.tensor([[*prompt, *[shape.placeholder] * (shape.width - len(prompt))] for prompt in prompts])
        prompt = torch.tensor([len(ids) for ids in prompts], device=device)
        slots = torch.tensor(lengths, device=device)
        total = prompt + slots
        numbers = {
            name: torch.tensor([row[name] for row in values], dtype=_dtype(value), device=device)
            for name, value in values[0].items()
        }
        if "block_size" in numbers:  # 0: the whole generation is one block
            numbers["block_size"] = torch.where(numbers["block_size"] > 0, numbers["block_size"], slots)
        zero = torch.zeros(count, dtype=torch.long, device=device)
        gen = (shape.pos >= prompt[:, None]) & (shape.pos < total[:, None])
        return cls(
            shape=shape,
            ids=ids.to(device),
            gen=gen,
            open=gen.clone(),
            reveal=torch.zeros(count, shape.width, dtype=torch.long, device=device),
            tokens=torch.zeros(count, shape.width, dtype=torch.long, device=device),
            prompt=prompt,
            total=total,
            seed=torch.tensor(seeds, dtype=torch.long, device=device),
            forwards=zero.clone(),
            kinds=torch.zeros(count, len(KINDS), dtype=torch.long, device=device),
            positions=zero.clone(),
            revisions=zero.clone(),
            done=torch.zeros(count, dtype=torch.bool, device=device),
            bad=zero.clone(),
            values=numbers,
        )

    def __len__(self) -> int:
        return self.ids.shape[0]

    def take(self, rows: Tensor) -> State:
        """The rows numbered `rows` (int64 tensor), as a copy."""
        plain = {name: getattr(self, name)[rows] for name in _PLAIN}
        values = {name: value[rows] for name, value in self.values.items()}
        return State(shape=self.shape, values=values, own=self.own.take(rows), **plain)

    def put(self, rows: Tensor, other: State) -> None:
        """Overwrite the rows numbered `rows` with those of `other`."""
        for name in _PLAIN:
            getattr(self, name)[rows] = getattr(other, name)
        for mine, theirs in ((self.values, other.values), (self.own, other.own)):
            for name, value in mine.items():
                value[rows] = theirs[name]

    def is_eos(self) -> Tensor:
        """[B, C]: generation slots that hold an EOS or EOT token."""
        return torch.isin(self.ids, self.shape.eos) & ~self.open & self.gen

    def first(self, where: Tensor, otherwise: int | Tensor | None = None) -> Tensor:
        """[B]: the lowest position of each row where `where` [B, C], else `otherwise` (the width of the canvas)."""
        if otherwise is None:
            otherwise = self.shape.width
        elif isinstance(otherwise, Tensor):
            otherwise = otherwise[:, None]
        return torch.where(where, self.shape.pos, otherwise).amin(1)

    def inside(self, span: Tensor) -> Tensor:
        """[B, C]: positions of the half-open `span` [B, 2]."""
        return (self.shape.pos >= span[:, :1]) & (self.shape.pos < span[:, 1:])

    def fill(self, where: Tensor, token: int | Tensor) -> None:
        """Write `token` on `where` [B, C] between two forwards; counts revisions and first reveals."""
        ids = torch.where(where, token, self.ids)
        self.revisions += ((ids != self.ids) & ~self.open).sum(1)
        self.reveal = torch.where(where & (self.reveal == 0), self.forwards[:, None], self.reveal)
        self.ids, self.open = ids, self.open & ~where


_PLAIN = tuple(item.name for item in fields(State) if item.name not in ("shape", "values", "own"))


@dataclass
class Plan:
    """The coming forward of every row.

    eligible [B, C]: slots that may be committed. scored [B, C]: positions whose logits are needed (eligible, rarely
    more). start, stop [B]: the window of positions to recompute. kind [B]: index into KINDS.
    must_commit [B, 2]: half-open span in which at least one token must be committed; empty where nothing must.
    """

    eligible: Tensor
    scored: Tensor
    start: Tensor
    stop: Tensor
    kind: Tensor
    must_commit: Tensor

    def take(self, rows: Tensor) -> Plan:
        """The plan of the rows numbered `rows`."""
        return Plan(**{name: value[rows] for name, value in vars(self).items()})

    def put(self, rows: Tensor, other: Plan) -> None:
        """Replace the plan of the rows numbered `rows`; in new tensors, because a plan shares its own with others."""
        for name, value in vars(self).items():
            setattr(self, name, value.index_put((rows,), getattr(other, name)))


def _dtype(value: float | int | bool) -> torch.dtype:
    if isinstance(value, bool):
        return torch.bool
    return torch.long if isinstance(value, int) else torch.float64
