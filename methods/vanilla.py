"""Vanilla masked diffusion: a fixed number of tokens a forward, the surest first, no cache.

LLaDA (Nie et al. 2025) decodes block by block and ranks by the probability of the best token. Dream (Ye et al. 2025)
decodes the whole generation at once and ranks by entropy: block_size=none, score=entropy, temperature 0.1, top_p 0.9.
The knob is the number of tokens a forward; the papers' own point is one.
"""

from __future__ import annotations

from methods import common
from methods.method import Method, Param

METHOD = Method(
    name="vanilla",
    title="Vanilla",
    summary="The k surest tokens a forward, blocks from left to right, no cache",
    citation="Nie et al. 2025, arXiv:2502.09992; Ye et al. 2025, arXiv:2508.15487",
    family="dllm",
    decoder="methods.decoding.recipes:vanilla",
    params={
        "tokens_per_step": Param(int, 1, "tokens committed a forward", low=1),
        "block_size": common.WHOLE_OR_BLOCK,
        "score": Param(str, "probability", "what ranks the slots", choices=("probability", "entropy", "margin")),
        "temperature": common.TEMPERATURE,
        "top_p": common.TOP_P,
    },
    axis="tokens_per_step",
    points=(1, 2, 4, 8),
    one_token={"tokens_per_step": 1},
    checkpoint="base",
    repairs=(
        "Dream's schedule spends every forward evenly; int(m (1 - s/t)) wastes the first and crowds the last",
        common.TOP_K,
        common.MASK,
    ),
)
