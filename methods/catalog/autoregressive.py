"""Autoregressive baselines: greedy left to right, and lossless speculative decoding of the same model.

`ar` caches keys and values and gives one token per forward pass by construction. `ar_speculative` is transformers'
prompt lookup (Saxena 2023): drafts are copied from the text so far where its last n-gram occurred before, and one
forward pass of the model verifies them. The tokens are those of `ar`; TPF is measured, tokens over forwards of the
target, with drafts counted apart. Neither has anything to repair, so both fidelities are the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from methods import params
from methods.method import Method, Param

if TYPE_CHECKING:
    from methods.decoding import Decoder, PromptLookup


def build(settings: Mapping[str, Any]) -> Decoder:
    """Left to right, cached; no probability exceeds 1, so each forward commits the next token alone."""
    from methods.decoding import Causal, Decoder, EndRow, OneByOne, Score, Threshold, numbers

    return Decoder(
        blocks=OneByOne(),
        cache=Causal(),
        commit=Threshold(confidence=True),
        stop=EndRow(),
        score=Score("probability"),
        values={**numbers(settings), "threshold": 1.0},
        family="ar",
    )


def build_speculative(settings: Mapping[str, Any]) -> PromptLookup:
    """transformers' own lossless speculative decoding."""
    from methods.decoding import PromptLookup

    return PromptLookup(settings["draft_tokens"], settings["ngram"])


AR = Method(
    name="ar",
    title="AR",
    summary="Greedy left-to-right decoding with a K/V cache",
    citation="Qwen2.5 Technical Report, arXiv:2412.15115 (the published row is Qwen2.5-7B-Instruct)",
    family="ar",
    decoder=build,
    params={"temperature": params.TEMPERATURE},
    axis=None,
    points=(),
    one_token={},
    checkpoint="ar",
)

AR_SPECULATIVE = Method(
    name="ar_speculative",
    title="AR, prompt lookup",
    summary="Greedy decoding verified several tokens at a time; drafts are looked up in the text so far",
    citation="Leviathan et al. 2023, arXiv:2211.17192; Saxena 2023, prompt lookup decoding",
    family="ar",
    decoder=build_speculative,
    params={
        "draft_tokens": Param(int, 10, "most draft tokens per forward pass; 0 drafts nothing", low=0),
        "ngram": Param(int, 2, "longest n-gram that is looked up", low=1),
    },
    axis="draft_tokens",
    points=(0, 3, 10),
    one_token={"draft_tokens": 0},
    checkpoint="ar",
)

METHODS = (AR, AR_SPECULATIVE)
