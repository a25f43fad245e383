"""What goes into the engine and what comes out: `Decoder`, `Request`, `Result`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from methods.decoding.eos import FillTail, Ignore
from methods.decoding.forwards import total_forwards
from methods.decoding.policies import BlockPolicy, CachePolicy, CommitRule, Policy, Scorer, StopPolicy
from methods.errors import MethodsUsageError

Numbers = Mapping[str, float | int | bool]
Policies = tuple[BlockPolicy, CachePolicy, CommitRule, Scorer, StopPolicy]


@dataclass(frozen=True)
class Decoder:
    """Four policies, the scorer they rank by, and the numbers of one setting.

    Decoders with equal policies share a batch whatever their `values`: those become one tensor element per row.
    need: more checks of a request, called before anything is decoded; they raise with a sentence.
    family: the checkpoints it decodes: "dllm" (bidirectional, masked), "block" (AR turned block diffusion) or "ar".
    mask_id, eos_ids: used instead of the backbone's (checkpoints without a tokenizer).

    Raises MethodsUsageError naming the policy and the way out where the policies do not fit together.
    """

    blocks: BlockPolicy
    cache: CachePolicy
    commit: CommitRule
    stop: StopPolicy
    score: Scorer
    values: Numbers
    mask_id: int | None = None
    eos_ids: tuple[int, ...] | None = None
    need: tuple[Callable[[Request], None], ...] = ()
    family: str = "dllm"

    def __post_init__(self) -> None:
        for name, kind in _PARTS.items():
            part = getattr(self, name)
            if not isinstance(part, kind):
                raise MethodsUsageError(
                    f"The decoder's `{name}` is {part!r}, which is no {kind.__name__}; give an instance of a subclass "
                    f"of methods.decoding.{kind.__name__}."
                )
        _fit(self.policies, self.blocks.spans, self.values)
        for policy in self.policies:
            if policy.family not in (None, self.family):
                raise MethodsUsageError(
                    f"{type(policy).__name__} decodes checkpoints of the family {policy.family!r} and the decoder's is "
                    f"{self.family!r}; give the Decoder family={policy.family!r}, or take another policy."
                )

    @property
    def policies(self) -> Policies:
        """The four policies and the scorer, in the order in which their memory is made."""
        return self.blocks, self.cache, self.commit, self.score, self.stop

    @property
    def kind(self) -> tuple[Any, ...]:
        """What must be equal for two rows to be decoded in one batch."""
        return (*self.policies, self.mask_id, self.eos_ids, tuple(sorted(self.values)))

    def ending_early(self) -> Decoder:
        """This decoder with the tail filled behind the first EOS; itself where it has a stop policy of its own."""
        return replace(self, stop=FillTail()) if type(self.stop) is Ignore else self


class ExternalDecoder(ABC):
    """A decoder that another library's loop runs; it counts forwards itself. A subclass is a frozen dataclass.

    stops_early: whether its rows end with their first EOS; where they do not, a protocol that asks for it is refused.
    """

    family: str = "ar"
    stops_early: bool = False
    need: tuple[Callable[[Request], None], ...] = ()
    values: Numbers = MappingProxyType({})

    @property
    def kind(self) -> tuple[Any, ...]:
        """What must be equal for two requests to be handed over together."""
        return (self,)

    def ending_early(self) -> ExternalDecoder:
        """Itself. Raises MethodsUsageError where its rows do not end early: the engine has no hold on its loop."""
        if not self.stops_early:
            raise MethodsUsageError(
                "another library's loop decodes it and does not stop at an EOS, which this protocol asks of every row; "
                "give --set early_stop=false, and its rows are shown as different from the others."
            )
        return self

    @abstractmethod
    def decode(self, backbone: Any, requests: Sequence[tuple[int, Request]]) -> Iterator[Result]:
        """The results of the numbered `requests`, in order of completion."""


@dataclass
class Request:
    """One prompt: token ids, how many tokens to generate, and with what."""

    prompt_ids: list[int]
    gen_length: int
    decoder: Decoder | ExternalDecoder
    seed: int = 0


@dataclass
class Result:
    """One finished row; see docs/definitions.md for the units.

    reveal_step, commit_step: the forward after which each output slot first held a token, and after which it got its
    last one. edits: all that stood on the revised slots, as [forward, output slot, token id or None for a mask].
    forwards_run, positions_run: what really ran; fewer where canvases of other requests were reused. A decoder that
    does not say (-1) has run them all.
    """

    index: int
    output_ids: list[int]
    forwards: dict[str, int]
    nfe: int
    positions: int
    reveal_step: list[int]
    stop_reason: str
    seconds: float
    revisions: int
    remasks: int = 0
    flickers: int = 0
    commit_step: list[int] = field(default_factory=list)
    edits: list[list[int | None]] = field(default_factory=list)
    forwards_run: int = -1
    positions_run: int = -1

    def __post_init__(self) -> None:
        """Where nothing was revised the last commit is the first; where nothing was reused all forwards ran."""
        self.commit_step = self.commit_step or self.reveal_step
        if self.forwards_run < 0:
            self.forwards_run, self.positions_run = self.total_forwards, self.positions

    @property
    def total_forwards(self) -> int:
        """Forwards of the target model."""
        return total_forwards(self.forwards)


_PARTS: dict[str, type[Policy]] = {
    "blocks": BlockPolicy,
    "cache": CachePolicy,
    "commit": CommitRule,
    "stop": StopPolicy,
    "score": Scorer,
}


def _fit(policies: Policies, spans: bool, values: Numbers) -> None:
    """Raises MethodsUsageError for a policy that needs what no other makes, and for a value that is missing."""
    made = {name for policy in policies for name in policy.memory}
    blocks = type(policies[0]).__name__
    for policy in policies:
        name = type(policy).__name__
        lacking = [memory for memory in policy.needs if memory not in made]
        if lacking:
            raise MethodsUsageError(
                f"{name} does not work with {blocks}: it reads the memory {', '.join(map(repr, lacking))}, which no "
                f"policy of this decoder makes; the block policies and what works with them are in "
                "docs/add-a-method.md."
            )
        if policy.uncached and policies[1].store_slots(1):
            raise MethodsUsageError(
                f"{name} does not work with {type(policies[1]).__name__}: it {policy.uncached}, which a K/V store "
                "cannot follow; take NoCache."
            )
        if policy.needs_span and not spans:
            raise MethodsUsageError(
                f"{name} does not work with {blocks}: it commits a token in the span `must_commit`, and {blocks} plans "
                "none; take PerBlock, or another block policy."
            )
        missing = [value for value in policy.values if values.get(value) is None]
        if missing:
            raise MethodsUsageError(
                f"{name} reads {', '.join(map(repr, missing))} from the decoder's `values`, which hold "
                f"{', '.join(sorted(values)) or 'nothing'}; add it there."
            )
    for key, value in values.items():
        if not isinstance(value, (bool, int, float)):
            raise MethodsUsageError(f"The decoder's values hold {key}={value!r}; they are numbers, one per row.")


def numbers(settings: Mapping[str, Any], *names: str) -> dict[str, float | int | bool]:
    """The `names` of `settings` for `Decoder.values`: those that are not None; temperature and top_p where they act.

    Raises MethodsUsageError for a `top_p` that nothing would read.
    """
    values = {name: settings[name] for name in names if settings.get(name) is not None}
    top_p = float(settings.get("top_p", 1.0))
    if settings.get("temperature"):
        values["temperature"] = float(settings["temperature"])
        if top_p < 1:
            values["top_p"] = top_p
    elif top_p < 1:
        raise MethodsUsageError(
            f"top_p={top_p:g} needs a temperature above 0, nothing is drawn without one; set temperature, or top_p=1."
        )
    return values


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


def schedules(steps: int, block: int) -> Callable[[Request], None]:
    """A check that the blocks of a generation share `steps` forwards evenly (0: no schedule given; block 0: one block).

    Raises MethodsUsageError naming both.
    """

    def check(request: Request) -> None:
        blocks = -(-request.gen_length // block) if block else 1
        if steps % blocks:
            raise MethodsUsageError(
                f"steps={steps} is not a multiple of the {blocks} blocks of the generation; "
                f"take {max(1, steps // blocks) * blocks}."
            )

    return check
