"""When a cache freezes and refreshes, and when a growing canvas makes a block commit: forward by forward."""

from __future__ import annotations

from typing import Any

import pytest

from methods.decoding import Delayed, Request
from methods.decoding.forwards import DENOISE, PREFILL, REFRESH
from tests.decoding.tiny import backbone, method, run


def test_the_delayed_cache_forward_by_forward(monkeypatch: pytest.MonkeyPatch) -> None:
    """Prompt of 3, blocks of 4, one token per forward, delay 2, refresh at every 8th forward.

    The prompt waits for forwards 1 and 2 and is frozen by the second; a block found finished at forward n is computed
    with the whole canvas at n and n + 1, and frozen by n + 2, which still starts at the old mark.
    """
    seen: list[tuple[int, int]] = []
    window = Delayed.window

    def spy(self: Any, state: Any, plan: Any) -> None:
        window(self, state, plan)
        seen.append((int(plan.start[0]), int(plan.kind[0])))

    monkeypatch.setattr(Delayed, "window", spy)
    settings = {"threshold": 0.0, "block_add_threshold": 1.0, "decoded_token_threshold": 1.0, "early_stop": False}
    decoder = method("d3llm_cache", block_size=4, cache_delay=2, refresh_interval=8, **settings)
    (result,) = run(backbone("llada"), [Request([1, 2, 3], 12, decoder)])
    assert sorted(result.reveal_step) == list(range(1, 13))
    first = [(0, DENOISE), (0, PREFILL), (3, DENOISE), (3, DENOISE)]
    second = [(0, REFRESH), (0, REFRESH), (3, DENOISE), (0, REFRESH)]  # the last because it is the eighth
    third = [(0, REFRESH), (0, REFRESH), (7, DENOISE), (11, DENOISE)]
    assert seen[:12] == first + second + third


def test_a_block_must_commit_only_when_its_left_neighbour_is_full() -> None:
    """Blocks are appended at once, nothing passes: one token per forward, left block before right block."""
    settings = {"threshold": 1.0, "block_add_threshold": 0.0, "decoded_token_threshold": 1.0}
    decoder = method("d2f", block_size=4, **settings)
    for seed in range(4):
        (result,) = run(backbone("llada", seed), [Request([1, 2, 3], 12, decoder)])
        steps = result.reveal_step
        blocks = [sorted(steps[at : at + 4]) for at in range(0, len(steps), 4)]
        assert [step for block in blocks for step in block] == list(range(1, len(steps) + 1))
