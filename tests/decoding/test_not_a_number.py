"""Logits that are not a number are never decoded, also where the broken forward is the one that finishes the row."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from methods.backbones import create
from methods.decoding import Request
from methods.errors import MethodsError
from tests.decoding.tiny import CONFIGS, IDS, backbone, method, run


def breaks(model: Any, forward: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the logits of one forward NaN."""
    head, calls = model.head, []

    def broken(hidden: torch.Tensor) -> torch.Tensor:
        calls.append(1)
        return head(hidden) * (torch.nan if len(calls) == forward else 1)

    monkeypatch.setattr(model, "head", broken)


@pytest.mark.parametrize("forward", [3, 8])
def test_request_and_forward_are_named(forward: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight slots, one per forward: the eighth forward is the last."""
    model = backbone("llada")
    breaks(model, forward, monkeypatch)
    with pytest.raises(MethodsError, match=f"Request 0: the logits of forward {forward} are not a number"):
        run(model, [Request([1, 2], 8, method("dparallel", threshold=0.0, block_size=8))])


@pytest.mark.parametrize(("name", "arch"), [("d3llm", "llada"), ("d3llm_cache", "llada"), ("ar", "ar")])
def test_an_end_that_nobody_predicted(name: str, arch: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The best of NaN is id 0; where that is the EOS the row ends with the forward that broke."""
    model = create({**CONFIGS[arch], **IDS, "eos_token_id": 0}, 0)
    breaks(model, 1, monkeypatch)
    early = {"early_stop": True, "block_size": 8} if name != "ar" else {}
    with pytest.raises(MethodsError, match="the logits of forward 1 are not a number"):
        run(model, [Request([1, 2], 8, method(name, arch, **early))])


@pytest.mark.parametrize("tokens", [0, 4])
def test_speculation_looks_at_its_logits_too(tokens: int) -> None:
    model, calls = create({**CONFIGS["ar"], **IDS, "eos_token_id": 49}, 0), []

    def broken(module: Any, args: Any, logits: torch.Tensor) -> torch.Tensor:
        calls.append(1)
        return logits * (torch.nan if len(calls) == 2 else 1)

    model.model.lm_head.register_forward_hook(broken)
    with pytest.raises(MethodsError, match="Request 0: the logits of forward 2 are not a number"):
        run(model, [Request([1, 2, 3], 8, method("ar_speculative", "ar", draft_tokens=tokens))])
