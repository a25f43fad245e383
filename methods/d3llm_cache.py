"""d3LLM with its delayed K/V cache (Qian et al. 2026).

As `d3llm`, and a finished block is frozen `cache_delay` forwards later, when its neighbours have settled. While a
finished block waits, and every `refresh_interval`-th forward, the whole canvas is recomputed; otherwise only what
follows the frozen part. A forward counts one whatever its width: read `positions` beside TPF.
"""

from __future__ import annotations

from methods import common
from methods.d3llm import METHOD as D3LLM
from methods.method import Method, Param

METHOD = Method(
    name="d3llm_cache",
    title="d3LLM (KV cache)",
    summary="d3LLM with finished blocks frozen after a delay and the canvas refreshed at intervals",
    citation=D3LLM.citation,
    family="dllm",
    decoder="methods.decoding.recipes:d3llm_cache",
    params={
        **D3LLM.params,
        "cache_delay": Param(int, 2, "forwards a finished block waits before it is frozen", low=0),
        "refresh_interval": Param(int, 10000, "forwards between full recomputations", low=1),
    },
    axis="threshold",
    points=D3LLM.points,
    one_token=D3LLM.one_token,
    checkpoint="d3llm",
    recipe="d3llm",
    repairs=(
        "a slot is a position: a refresh with several waiting blocks leaves no key twice and no length out of step",
        "a refresh that is due is not skipped because a block is frozen in the same forward",
        common.SLICE,
        *D3LLM.repairs,
    ),
)
