"""Everything that can be wrong with a request, reported before the first forward; and with its logits, after it."""

from __future__ import annotations

from typing import Any

from methods.decoding.decoder import Decoder, Request
from methods.errors import MethodsError, MethodsUsageError

KIND = {"dllm": "a masked diffusion", "block": "a block diffusion", "ar": "an autoregressive"}


def validate(backbone: Any, request: Request, index: int) -> None:
    """Raises MethodsUsageError naming the request and the way out.

    Mask and EOS ids in a prompt are allowed: they are prompt, never slots, and never end anything.
    """
    length = len(request.prompt_ids)
    if request.gen_length < 1:
        raise MethodsUsageError(
            f"Request {index}: the generation length is {request.gen_length}; it must be at least 1."
        )
    if length + request.gen_length > backbone.max_positions:
        raise MethodsUsageError(
            f"Request {index}: {length} prompt tokens and {request.gen_length} to generate exceed the context of "
            f"{backbone.max_positions} positions; shorten the prompt or the generation."
        )
    if not length and backbone.shift:
        raise MethodsUsageError(
            f"Request {index}: the prompt is empty, but on {backbone.arch} a token is predicted by the one before it; "
            "give at least one token (the BOS)."
        )
    own = "ar" if backbone.causal else "block" if backbone.arch == "block" else "dllm"
    if request.decoder.family != own:
        raise MethodsUsageError(
            f"Request {index}: this method needs {KIND[request.decoder.family]} checkpoint, and this one is "
            f"{KIND[own]} one ({backbone.arch}); choose a checkpoint of the method's own family."
        )
    bad = [token for token in request.prompt_ids if not 0 <= token < backbone.vocab_size]
    if bad:
        raise MethodsUsageError(
            f"Request {index}: token id {bad[0]} is outside the vocabulary of {backbone.vocab_size}; "
            "was the prompt made with another tokenizer?"
        )
    if isinstance(request.decoder, Decoder):
        _special(request.decoder, backbone.vocab_size, index)
    for need in request.decoder.need:
        need(request)


def _special(decoder: Decoder, vocab: int, index: int) -> None:
    """The decoder's own special ids are ids of the checkpoint's vocabulary."""
    for name, token in (("mask_id", decoder.mask_id), *(("eos_id", token) for token in decoder.eos_ids or ())):
        if token is not None and not 0 <= token < vocab:
            raise MethodsUsageError(
                f"Request {index}: {name}={token} is outside the vocabulary of {vocab}; "
                "leave it out to take the checkpoint's own."
            )


def not_a_number(index: int, forward: int) -> MethodsError:
    """The error of request `index`, some of whose logits of forward `forward` (from 1) are not a number."""
    return MethodsError(
        f"Request {index}: the logits of forward {forward} are not a number; "
        "check the checkpoint and the dtype (float16 overflows where bfloat16 does not)."
    )
