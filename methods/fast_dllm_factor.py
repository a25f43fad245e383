"""Fast-dLLM with factor decoding (Wu et al. 2025, section 3.3): as many tokens at once as still factorise.

With confidences in falling order c(1) >= c(2) >= ..., the longest prefix is committed whose ranks all satisfy
(n + 1) (1 - c(n)) < factor; the first rank always. The bound says when the product of marginals still has the
joint's argmax. The number of tokens thus follows the confidence of all of them, not of each alone.
"""

from __future__ import annotations

from methods import common
from methods.method import Method, Param

METHOD = Method(
    name="fast_dllm_factor",
    title="Fast-dLLM (factor)",
    summary="The longest prefix of ranks n with (n + 1)(1 - confidence) < factor",
    citation="Wu et al. 2025, Fast-dLLM, arXiv:2505.22618",
    family="dllm",
    decoder="methods.decoding.recipes:fast_dllm_factor",
    params={
        "factor": Param(float, 1.0, "bound on (n + 1)(1 - confidence of rank n); 0 gives one token a forward", low=0.0),
        "block_size": common.BLOCK_SIZE,
        "cache": Param(str, "dual", "what is cached", choices=("none", "prefix", "dual")),
        "refresh_interval": common.REFRESH,
        "temperature": common.TEMPERATURE,
    },
    axis="factor",
    points=(0.0, 0.25, 0.5, 1.0, 1.5, 2.0),
    one_token={"factor": 0.0},
    checkpoint="base",
    repairs=(
        "the last rank is not committed when it is the one that fails",
        common.SLICE,
        common.MASK,
    ),
)
