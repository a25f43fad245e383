"""What goes into the decoding loop and what comes out: `Decoder`, `Request`, `Result`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from methods.errors import MethodsUsageError

if TYPE_CHECKING:
    from methods.decoding.policies import BlockPolicy, CachePolicy, CommitRule, Scorer, StopPolicy

KINDS = ("prefill", "denoise", "refresh", "draft")


@dataclass(frozen=True)
class Decoder:
    """Four policies, the score they rank by, and the numbers of one setting.

    Decoders with equal policies share a batch whatever their `values`: those become one tensor element a row.
    mask, eos: override the backbone's special ids (bare checkpoints without a tokenizer).
    need: extra checks of a request, called before anything is decoded; they raise with a sentence.
    family: the checkpoints it decodes: "dllm" (bidirectional, masked), "block" (AR turned block diffusion) or "ar".
    engine: replaces the loop altogether (lossless speculative decoding is transformers' own).
    """

    blocks: BlockPolicy | None = None
    cache: CachePolicy | None = None
    commit: CommitRule | None = None
    stop: StopPolicy | None = None
    score: Scorer | None = None
    values: Mapping[str, float | int | bool] = field(default_factory=dict)
    mask: int | None = None
    eos: tuple[int, ...] | None = None
    need: tuple[Callable[[Request], None], ...] = ()
    family: str = "dllm"
    engine: Callable[[Any, Sequence[tuple[int, Request]]], Iterator[Result]] | None = None

    @property
    def kind(self) -> tuple[Any, ...]:
        """What must be equal for two rows to be decoded in one batch."""
        policies = (self.blocks, self.cache, self.commit, self.stop, self.score)
        return (*policies, self.mask, self.eos, self.engine, tuple(sorted(self.values)))


@dataclass
class Request:
    """One prompt: token ids, how many tokens to generate, and with what."""

    prompt_ids: list[int]
    gen_length: int
    decoder: Decoder
    seed: int = 0


@dataclass
class Result:
    """One finished row; see docs/definitions.md for the units."""

    index: int
    output_ids: list[int]
    forwards: dict[str, int]
    nfe: int
    positions: int
    reveal_step: list[int]
    stop_reason: str
    seconds: float
    revisions: int

    @property
    def total_forwards(self) -> int:
        """Forwards of the target model, draft-model forwards left out."""
        return sum(count for kind, count in self.forwards.items() if kind != "draft")


def divides(name: str, block: int | None) -> Callable[[Request], None]:
    """A check that `block` divides the generation length. Raises MethodsUsageError naming both."""

    def check(request: Request) -> None:
        if block and request.gen_length % block:
            lower = request.gen_length // block * block
            lengths = f"{lower} or {lower + block}" if lower else f"{block}"
            raise MethodsUsageError(
                f"{name}={block} does not divide the generation length {request.gen_length}; "
                f"take a divisor, or a generation length of {lengths}."
            )

    return check
