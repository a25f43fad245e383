"""Autoregressive baseline: greedy, left to right, keys and values cached; one token a forward by construction."""

from __future__ import annotations

from methods import common
from methods.method import Method

METHOD = Method(
    name="ar",
    title="AR",
    summary="Greedy left-to-right decoding with a K/V cache",
    citation="Qwen2.5 Technical Report, arXiv:2412.15115 (the published row is Qwen2.5-7B-Instruct)",
    family="ar",
    decoder="methods.decoding.recipes:ar",
    params={"temperature": common.TEMPERATURE},
    axis=None,
    points=(),
    one_token={},
    checkpoint="ar",
)
