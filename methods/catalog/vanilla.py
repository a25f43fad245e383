"""Vanilla masked diffusion: a fixed number of tokens per forward pass, most confident first, no cache.

LLaDA (Nie et al. 2025) decodes block by block and ranks by the probability of the best token. Dream (Ye et al. 2025)
decodes the whole generation at once and ranks by entropy: block_size=none, score=entropy, temperature 0.1, top_p 0.9.
The swept parameter is the number of tokens per forward pass; the papers' own point is one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from methods import params
from methods.method import Method, Param

if TYPE_CHECKING:
    from methods.decoding import Decoder


def build(settings: Mapping[str, Any], arch: str) -> Decoder:
    """A quota of the surest slots. Dream ranks by the distribution it draws from, LLaDA by the model's own."""
    from methods.decoding import Decoder, Ignore, NoCache, Quota, Score, Sequential, divides, numbers

    size = settings["block_size"] or 0  # 0: the whole generation
    return Decoder(
        blocks=Sequential(),
        cache=NoCache(),
        commit=Quota(),
        stop=Ignore(),
        score=Score(settings["score"], tempered=arch == "dream"),
        values={**numbers(settings, "tokens_per_step"), "block_size": size},
        need=(divides("block_size", size),),
    )


VANILLA = Method(
    name="vanilla",
    title="Vanilla",
    summary="The k surest tokens per forward pass, blocks from left to right, no cache",
    citation="Nie et al. 2025, arXiv:2502.09992; Ye et al. 2025, arXiv:2508.15487",
    family="dllm",
    decoder=build,
    params={
        "tokens_per_step": Param(int, 1, "tokens committed per forward pass", low=1),
        "block_size": params.WHOLE_OR_BLOCK,
        "score": Param(str, "probability", "what ranks the slots", choices=("probability", "entropy", "margin")),
        "temperature": params.TEMPERATURE,
        "top_p": params.TOP_P,
    },
    axis="tokens_per_step",
    points=(1, 2, 4, 8),
    one_token={"tokens_per_step": 1},
    checkpoint="base",
    repairs=(
        "Dream's schedule spends every forward evenly; int(m (1 - s/t)) wastes the first and crowds the last",
        params.MASK,
    ),
    reference={"llada": "llada.vanilla", "dream": "dream.vanilla"},
)

METHODS = (VANILLA,)
