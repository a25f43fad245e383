"""Budget, neighbourhood and credit written out for one row, on both alignments: the recordings are LLaDA's alone."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch

from methods.decoding import Request
from tests.decoding.tiny import MASK, backbone, method, run

LENGTH, BLOCK = 16, 8
Pick = Callable[[dict[int, torch.Tensor], dict[int, dict[int, float]], int], dict[int, int]]


def eb(rows: dict[int, torch.Tensor], credit: dict[int, dict[int, float]], step: int) -> dict[int, int]:
    """Budget 5 nats."""
    entropies = {}
    for slot, logits in rows.items():
        probs = [p for p in logits.softmax(-1).tolist() if p > 0]
        entropies[slot] = -sum(p * math.log(p) for p in probs)
    chosen, spent = [], 0.0
    for slot in sorted(rows, key=lambda s: entropies[s]):
        if chosen and spent >= 5:
            break
        chosen.append(slot)
        spent += entropies[slot]
    return {slot: best(rows[slot])[0] for slot in chosen}


def localleap(rows: dict[int, torch.Tensor], credit: dict[int, dict[int, float]], step: int) -> dict[int, int]:
    """Bars 0.2 and 0.1, radius 2."""
    found = {slot: best(logits) for slot, logits in rows.items()}
    anchors = [slot for slot in found if found[slot][1] > 0.2]
    near = {slot for slot in found if any(abs(slot - anchor) <= 2 for anchor in anchors)}
    chosen = [slot for slot in found if found[slot][1] > (0.1 if slot in near else 0.2)]
    surest = max(found, key=lambda slot: found[slot][1])
    return {slot: found[slot][0] for slot in {*chosen, surest}}


def credited(rows: dict[int, torch.Tensor], credit: dict[int, dict[int, float]], step: int) -> dict[int, int]:
    """Threshold 0.2 on logits with credit."""
    found = {}
    for slot, logits in rows.items():
        old = {} if step == 0 else credit.get(slot, {})
        credit[slot] = {token: 0.8 * value for token, value in old.items()}
        token, _ = best(logits)
        shown = logits.clone()
        shown[MASK] = -math.inf
        credit[slot][token] = credit[slot].get(token, 0.0) + float(shown.softmax(-1)[token]) ** 0.2
        fused = logits.clone()
        for other, value in credit[slot].items():
            fused[other] += 0.7 * math.log1p(value)
        found[slot] = best(fused)
    surest = max(found, key=lambda slot: found[slot][1])
    return {slot: token for slot, (token, sure) in found.items() if sure > 0.2 or slot == surest}


def best(logits: torch.Tensor) -> tuple[int, float]:
    """The best token that is not the mask, and its probability."""
    probs = logits.softmax(-1)
    probs[MASK] = -1
    return int(probs.argmax()), float(probs.max())


@torch.inference_mode()
def plainly(model: Any, prompt: list[int], size: int, pick: Pick) -> tuple[list[int], list[int]]:
    """(tokens, the forward that committed each)."""
    start, forward = len(prompt), 0
    ids, steps, credit = torch.tensor([[*prompt, *[MASK] * LENGTH]]), [0] * LENGTH, {}
    for first in range(start, start + LENGTH, size):
        step = 0
        while slots := [slot for slot in range(first, first + size) if ids[0, slot] == MASK]:
            logits = model.head(model.hidden(ids, torch.arange(ids.shape[1])[None]))[0].double()
            forward += 1
            for slot, token in pick({slot: logits[slot - model.shift] for slot in slots}, credit, step).items():
                ids[0, slot], steps[slot - start] = token, forward
            step += 1
    return ids[0, start:].tolist(), steps


ROWS: list[tuple[str, Pick, int, dict[str, Any]]] = [
    ("eb_sampler", eb, LENGTH, {"gamma": 5.0}),
    ("localleap", localleap, BLOCK, {"threshold": 0.2, "relaxed_threshold": 0.1, "radius": 2, "block_size": BLOCK}),
    ("credit", credited, BLOCK, {"threshold": 0.2, "block_size": BLOCK}),
]


@pytest.mark.parametrize("arch", ["llada", "dream"])
@pytest.mark.parametrize(("name", "pick", "size", "settings"), ROWS, ids=[row[0] for row in ROWS])
def test_the_rule_as_described(name: str, pick: Pick, size: int, settings: dict[str, Any], arch: str) -> None:
    model = backbone(arch, 3)
    prompts = ([1, 2, 3], [4, 40, 9, 21], list(range(20)))
    made = method(name, arch, **settings)
    results = run(model, [Request(prompt, LENGTH, made) for prompt in prompts], 2)
    wanted = [plainly(model, prompt, size, pick) for prompt in prompts]
    assert [(result.output_ids, result.reveal_step) for result in results] == wanted
    assert sum(result.total_forwards for result in results) < 3 * LENGTH, "nothing was committed in parallel"
