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
    reveal, latest [B, C]: the forward (1-based) after which a slot first held a token, and after which it got the one
    that it holds now. tokens [B, C]: the best token of every scored position of the forward that just ran, for commit
    rules and `advance`. prompt, total [B]: lengths. done [B] bool.
    bad [B]: 0, or what went wrong (NAN, STUCK), reported with the next plan.
    forwards [B]: forwards run; kinds [B, 4]: the same by KINDS. positions [B]: token positions computed.
    revisions, remasks [B]: committed tokens changed, and masked again; flickers [B]: those of the remasks whose token
    was committed in the same step. shown: ids and open slots of the forward that is running, None between steps.
    values: the numbers of each row's setting. own: the policies' memory. Both by name, with the row first.
    """

    shape: Shape
    ids: Tensor
    gen: Tensor
    open: Tensor
    reveal: Tensor
    latest: Tensor
    tokens: Tensor
    prompt: Tensor
    total: Tensor
    seed: Tensor
    forwards: Tensor
    kinds: Tensor
    positions: Tensor
    revisions: Tensor
    remasks: Tensor
    flickers: Tensor
    done: Tensor
    bad: Tensor
    values: dict[str, Tensor] = field(default_factory=dict)
    own: Memory = field(default_factory=Memory)
    shown: tuple[Tensor, Tensor] | None = None

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
        blank = torch.zeros(count, shape.width, dtype=torch.long, device=device)
        gen = (shape.pos >= prompt[:, None]) & (shape.pos < total[:, None])
        return cls(
            shape=shape,
            ids=ids.to(device),
            gen=gen,
            open=gen.clone(),
            reveal=blank.clone(),
            latest=blank.clone(),
            tokens=blank.clone(),
            prompt=prompt,
            total=total,
            seed=torch.tensor(seeds, dtype=torch.long, device=device),
            forwards=zero.clone(),
            kinds=torch.zeros(count, len(KINDS), dtype=torch.long, device=device),
            positions=zero.clone(),
            revisions=zero.clone(),
            remasks=zero.clone(),
            flickers=zero.clone(),
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
        """Write `token` on `where` [B, C] between two forwards, over a token that stands there too."""
        self.ids, self.open = torch.where(where, token, self.ids), self.open & ~where

    def reopen(self, where: Tensor) -> None:
        """Mask the tokens on `where` [B, C] again; prompt and open slots are left as they are."""
        where = where & self.gen & ~self.open
        if self.shown is not None:
            again = (where & self.shown[1]).sum(1)
            self.flickers, self.remasks = self.flickers + again, self.remasks + again
        self.ids, self.open = torch.where(where, self.shape.placeholder, self.ids), self.open | where

    def show(self) -> None:
        """A step begins: note what its forward sees. A copy, so that a write in place is counted as well."""
        self.shown = self.ids.clone(), self.open.clone()

    def settle(self) -> Tensor:
        """A step is over: count and date what it changed; [B, C], the tokens that it replaced or masked again.

        Counted from one forward to the next, whoever wrote: a token that is overwritten in the very step that
        committed it never stood before the model, and is neither a revision nor dated. Only `reopen` counts those.
        """
        assert self.shown is not None
        ids, was_open = self.shown
        self.shown = None
        filled, masked = was_open & ~self.open, self.open & ~was_open
        changed = (self.ids != ids) & ~(was_open | self.open)
        now = self.forwards[:, None]
        self.reveal = torch.where(filled & (self.reveal == 0), now, self.reveal)
        self.latest = torch.where(filled | changed, now, self.latest)
        self.revisions += changed.sum(1)
        self.remasks += masked.sum(1)
        return masked | changed


_PLAIN = tuple(item.name for item in fields(State) if item.name not in ("shape", "values", "own", "shown"))


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
