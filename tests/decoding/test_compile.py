"""Compiled layers and widened windows: the same tokens, forwards and positions as without."""

from __future__ import annotations

from typing import Any

import pytest

from methods.decoding import Request
from tests.decoding.test_invariants import DLLM, TINY, family
from tests.decoding.tiny import CONFIGS, IDS, backbone, method, run, same


def requests(name: str, arch: str) -> list[Request]:
    """Three rows whose windows differ."""
    decoder = method(name, arch, **TINY, **DLLM[name])
    return [Request(list(range(1, 1 + length)), gen, decoder) for length, gen in ((3, 16), (9, 24), (20, 16))]


@pytest.mark.parametrize("arch", ["llada", "dream"])
@pytest.mark.parametrize("name", sorted(DLLM))
def test_windows_widened_to_few_shapes_change_nothing(name: str, arch: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What `Backbone.compile` asks of the engine on CUDA, without compiling."""
    model, work, widths = backbone(family(name, arch), 1), requests(name, arch), set[int]()
    plain, hidden = run(model, work, batch=2), model.hidden

    def watch(ids: Any, positions: Any, **more: Any) -> Any:
        widths.add(ids.shape[1])
        return hidden(ids, positions, **more)

    with monkeypatch.context() as patch:
        patch.setattr(model, "grain", 16)
        patch.setattr(model, "hidden", watch)
        wide = run(model, work, batch=2)
    assert all(map(same, plain, wide))
    canvas = max(len(request.prompt_ids) + request.gen_length for request in work)
    assert all(width % 16 == 0 or width == canvas for width in widths)


@pytest.mark.slow
def test_compiled_layers_give_the_same_tokens() -> None:
    """Without a store and with one."""
    from methods.backbones import create

    model, eager = create({**CONFIGS["llada"], **IDS}, 1), {}
    model.model.lm_head.weight.data.mul_(12.0)  # entropies that spread, as in `tiny.backbone`
    names = ("d3llm", "fast_dllm_dual")
    for name in names:
        eager[name] = run(model, requests(name, "llada"))
    model.compile()
    for name in names:
        assert all(map(same, eager[name], run(model, requests(name, "llada"))))
