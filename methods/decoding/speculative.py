"""Lossless speculative decoding by transformers itself: drafts are looked up in the text so far, the model verifies.

Prompt lookup (Saxena 2023) as `generate(prompt_lookup_num_tokens=...)`. The tokens are those of greedy decoding. The
forwards of the target are counted by a hook; a lookup runs no draft model, so `draft` is 0 by construction.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from methods.decoding.decoder import ExternalDecoder, Request, Result
from methods.decoding.validate import not_a_number


@dataclass(frozen=True)
class PromptLookup(ExternalDecoder):
    """tokens: most draft tokens per forward pass (0: none, plain greedy decoding). ngram: longest match looked up."""

    tokens: int
    ngram: int
    stops_early = True

    def decode(self, backbone: Any, requests: Sequence[tuple[int, Request]]) -> Iterator[Result]:
        """One request after the other; transformers verifies one sequence at a time.

        Raises MethodsError naming request and forward for logits that are not a number.
        """
        for index, request in requests:
            yield self._one(backbone, index, request)

    @torch.inference_mode()
    def _one(self, backbone: Any, index: int, request: Request) -> Result:
        widths: list[int] = []
        offsets: list[int] = []
        base = backbone.model.get_base_model() if hasattr(backbone.model, "get_base_model") else backbone.model
        ids = torch.tensor([request.prompt_ids], device=backbone.device)
        tick = time.perf_counter()
        with _watched(base, widths, index):
            out = base.generate(
                ids,
                attention_mask=torch.ones_like(ids),
                max_new_tokens=request.gen_length,
                do_sample=False,
                use_cache=True,
                prompt_lookup_num_tokens=self.tokens or None,
                max_matching_ngram_size=self.ngram if self.tokens else None,
                eos_token_id=list(backbone.special.eos),
                pad_token_id=backbone.special.pad,
                streamer=_Lengths(offsets, widths),
            )
            output = out[0, ids.shape[1] :].tolist()
        seconds = time.perf_counter() - tick
        reveal = [*offsets, *[len(widths)] * len(output)][: len(output)]
        return Result(
            index=index,
            output_ids=output,
            forwards={"prefill": 1, "denoise": len(widths) - 1, "refresh": 0, "draft": 0},
            nfe=len(widths),
            positions=sum(widths),
            reveal_step=reveal,
            stop_reason="eos" if set(output) & set(backbone.special.eos) else "length",
            seconds=seconds,
            revisions=0,
        )


@contextmanager
def _watched(base: Any, widths: list[int], index: int) -> Iterator[None]:
    """While open, the width of every forward of `base` is appended to `widths`, and NaN logits raise MethodsError."""

    def count(module: Any, args: Any, kwargs: Any) -> None:
        ids = kwargs.get("input_ids", args[0] if args else None)
        widths.append(ids.shape[1])

    def finite(module: Any, args: Any, logits: torch.Tensor) -> None:
        if bool(logits.isnan().any()):  # generate would take id 0 and go on
            raise not_a_number(index, len(widths))

    hooks = (base.register_forward_pre_hook(count, with_kwargs=True), base.lm_head.register_forward_hook(finite))
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


class _Lengths:
    """A transformers streamer that notes the forward at which each token came out."""

    def __init__(self, offsets: list[int], widths: list[int]) -> None:
        self.offsets, self.widths, self.prompt = offsets, widths, True

    def put(self, value: torch.Tensor) -> None:
        """The prompt first, then the accepted tokens."""
        if self.prompt:
            self.prompt = False
            return
        self.offsets.extend([len(self.widths)] * value.numel())

    def end(self) -> None:
        """Nothing is buffered."""
