"""The teacher: Dream's order of reveal is by entropy, LLaDA's by probability, as in the releases' generators."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from methods.backbones import Backbone
from methods.decoding import Request, decode
from methods.distill import masks, recipe
from methods.distill.teacher import teacher_decoder, teacher_score
from methods.distill.trajectory_files import departures
from methods.distill.trajectory_generation import Plan, header, write_header
from tests.distill import tiny

PROMPT, LENGTH, BLOCK, MASK, EOS = [3, 1, 4], 16, 8, 37, (38, 36)


def two_ends(arch: str, seed: int) -> Backbone:
    """A checkpoint of which two ids end an answer."""
    made = tiny.backbone(arch, seed)
    made.special = replace(made.special, eos=EOS)
    with torch.no_grad():
        made.model.lm_head.weight.mul_(6)  # a peaked distribution, in which the two rankings disagree
    return made


def reveal(backbone: Backbone, heat: float = 0.0, **options: Any) -> tuple[list[int], list[int]]:
    build = teacher_decoder(backbone.arch, BLOCK, **options)
    (result,) = decode(backbone, [Request(PROMPT, LENGTH, build(heat), seed=5)], batch_size=1)
    return list(result.output_ids), list(result.reveal_step)


def check_order(backbone: Backbone, ids: list[int], order: list[int], cost: str) -> None:
    """At every step the committed position was the cheapest open one of its block, by the definition."""
    for step in range(1, max(order) + 1):
        state = masks.state(np.array(ids), np.array(order), step - 1, MASK).tolist()
        opened = [place for place in range(LENGTH) if state[place] == MASK]
        block = [place for place in opened if place // BLOCK == opened[0] // BLOCK]
        logits = _logits(backbone, PROMPT + state)
        rows = torch.stack([logits[len(PROMPT) + place - backbone.shift] for place in block])
        probability = rows.softmax(-1)  # the mask id is part of the distribution, it is only never committed
        rows[:, MASK] = -torch.inf
        best = probability.gather(1, rows.argmax(-1)[:, None])[:, 0]
        costs = -best if cost == "probability" else torch.special.entr(probability).sum(-1)
        chosen = [index for index, place in enumerate(block) if order[place] == step]
        assert int(rows[chosen[0]].argmax()) == ids[block[chosen[0]]]
        assert float(costs[chosen[0]] - costs.min()) <= 1e-6, f"step {step}"


def _logits(backbone: Backbone, canvas: list[int]) -> Tensor:
    ids = torch.tensor([canvas])
    hidden = backbone.hidden(ids, torch.arange(len(canvas))[None])
    return backbone.model.lm_head(hidden)[0].detach().double()


@pytest.mark.parametrize(("arch", "cost"), [("dream", "entropy"), ("llada", "probability")])
def test_the_order_of_reveal_is_the_releases(arch: str, cost: str) -> None:
    other = {"entropy": "probability", "probability": "entropy"}[cost]
    split = replayed = 0
    for seed in range(6):
        backbone = two_ends(arch, seed)
        ids, order = reveal(backbone)
        if not set(ids) & set(EOS):  # behind an EOS committed tokens are overwritten
            check_order(backbone, ids, order, cost)
            replayed += 1
        _, turned = reveal(backbone, score=other)
        near = [masks.near_distant(masks.ranks(np.array(steps)), 2, 3)[0] for steps in (order, turned)]
        split += int((near[0] != near[1]).any())
    assert replayed >= 4
    assert split, "the ranking decides which tokens are near and which distant"


@pytest.mark.parametrize("arch", ["llada", "dream"])
def test_the_second_end_id_ends_an_answer_too(arch: str) -> None:
    """LLaDA's answers end with <|eot_id|>, and <|endoftext|> pads them."""
    backbone = two_ends(arch, 0)
    ids, order = reveal(backbone)
    second = ids[order.index(1)]
    backbone.special = replace(backbone.special, eos=(EOS[0], second))
    ended, _ = reveal(backbone)
    first = ended.index(second)
    assert set(ended[first + 1 :]) <= {EOS[0]}
    assert ended != ids


def test_top_p_is_read_at_a_temperature_alone() -> None:
    backbone = two_ends("dream", 0)
    assert reveal(backbone, top_p=0.3) == reveal(backbone)
    assert reveal(backbone, heat=1.0, top_p=0.05) != reveal(backbone, heat=1.0)
    values = teacher_decoder("dream", BLOCK, top_p=0.95)(0.2).values
    assert (values["temperature"], values["top_p"]) == (0.2, 0.95)


@pytest.mark.parametrize("name", ["d3llm", "tad_speed", "tad_quality", "dparallel", "d2f"])
def test_every_recipe_asks_for_its_architectures_ranking(name: str) -> None:
    for variant in ("llada", "dream"):
        assert recipe.load(name, variant).common.score == teacher_score(variant)


def test_a_set_ranked_otherwise_than_the_recipe_says_is_named(tmp_path: Path) -> None:
    plan = Plan(gen_length=256, decode_from="privileged", temperatures=(0.2,))
    backbone, common = tiny.backbone("dream"), recipe.load("tad_speed", "dream").common
    made: dict[str, Any] = {"block": 32, "score": "entropy", "top_p": 0.95}
    for folder, extra, want in (
        ("right", made, []),
        ("ranked", made | {"score": "probability"}, ["score probability; the recipe has entropy"]),
        ("old", {"block": 32}, ["score probability; the recipe has entropy", "top_p 1.0; the recipe has 0.95"]),
    ):
        write_header(tmp_path / folder, header(backbone, [], plan, "", extra))
        found = departures(tmp_path / folder, common)
        assert len(found) == len(want)
        assert all(words in sentence for words, sentence in zip(want, found, strict=True))
