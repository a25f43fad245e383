"""The teacher's decoder: vanilla decoding, one token per forward pass, ranked as its own release ranks.

The ranking decides the order of reveal, and with it d3LLM's mask patterns and TAD's split into near and distant
tokens. LLaDA's generators rank by the probability of the best token (d3LLM, TAD: `remasking="low_confidence"`),
Dream's by entropy (d3LLM's `_sample` with a threshold that only the lowest entropy passes; TAD's `alg=entropy` with
`top_p` 0.95). At a temperature Dream scores the tempered, truncated distribution and LLaDA the raw one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from methods import registry
from methods.decoding import Decoder, FillTail

SCORES = {"dream": "entropy"}


def teacher_score(arch: str) -> str:
    """What ranks the positions of a teacher of this architecture: entropy (Dream) or probability (all others)."""
    return SCORES.get(arch, "probability")


def teacher_decoder(
    arch: str, block: int, *, score: str | None = None, top_p: float = 1.0
) -> Callable[[float], Decoder]:
    """The teacher's decoder as a function of the temperature; blocks of `block` positions from left to right.

    score: probability | entropy | margin, None for the architecture's own. top_p: mass of the nucleus, in (0, 1];
    read at a temperature above 0 alone, nothing is drawn at 0. Behind the first EOS the canvas is filled with EOS
    instead of decoded: no objective reads it, and it is a third of the forward passes.
    """
    method = registry.get("vanilla")

    def build(temperature: float) -> Decoder:
        wanted: dict[str, Any] = dict(method.one_token)
        wanted |= {"block_size": block, "score": score or teacher_score(arch), "temperature": temperature}
        if temperature > 0:
            wanted["top_p"] = top_p
        decoder: Decoder = method.build(method.settings(wanted), arch)
        return replace(decoder, stop=FillTail())

    return build
