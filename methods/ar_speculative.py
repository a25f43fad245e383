"""Lossless speculative decoding of the autoregressive model: transformers' prompt lookup (Saxena 2023).

Drafts are copied from the text so far where its last n-gram occurred before; one forward of the model verifies them.
The tokens are those of `ar`; TPF is measured, tokens over forwards of the target, with drafts counted apart.
"""

from __future__ import annotations

from methods.method import Method, Param

METHOD = Method(
    name="ar_speculative",
    title="AR, prompt lookup",
    summary="Greedy decoding verified several tokens at a time; drafts are looked up in the text so far",
    citation="Leviathan et al. 2023, arXiv:2211.17192; Saxena 2023, prompt lookup decoding",
    family="ar",
    decoder="methods.decoding.recipes:ar_speculative",
    params={
        "draft_tokens": Param(int, 10, "most draft tokens a forward; 0 drafts nothing", low=0),
        "ngram": Param(int, 2, "longest n-gram that is looked up", low=1),
    },
    axis="draft_tokens",
    points=(0, 3, 10),
    one_token={"draft_tokens": 0},
    checkpoint="ar",
)
