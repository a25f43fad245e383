"""Tokens that are edited or masked again: counted as another observer counts them, and the same in any batch."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor

from methods.backbones import create
from methods.decoding import (
    Appended,
    BlockCache,
    Decoder,
    Drafted,
    Factor,
    FillTail,
    Ignore,
    NoCache,
    Plan,
    Request,
    Result,
    Score,
    Sequential,
    Shape,
    State,
    Threshold,
    Verified,
    begin,
)
from methods.errors import MethodsError, MethodsUsageError
from tests.decoding.tiny import CONFIGS, EOS, IDS, MASK, backbone, method, run, same

REVISING: list[tuple[str, str, dict[str, Any]]] = [
    ("saber", "llada", {"n": 2}),
    ("saber", "dream", {"n": 3}),
    ("joint_threshold", "llada", {"max_post_edit_steps": 3}),
    ("joint_threshold", "dream", {"threshold": 0.2, "max_post_edit_steps": 2, "penalty_lambda": 1.0}),
    ("wino", "llada", {"threshold": 0.2}),
]
NAMES = [f"{name}-{arch}" for name, arch, _ in REVISING]


class Watch:
    """Records the canvas of every forward by standing in front of `Backbone.hidden`."""

    def __init__(self, model: Any, patch: pytest.MonkeyPatch) -> None:
        self.canvases: list[Tensor] = []
        hidden = model.hidden

        def watched(ids: Tensor, positions: Tensor, **more: Any) -> Tensor:
            self.canvases.append(ids.clone())
            return hidden(ids, positions, **more)

        patch.setattr(model, "hidden", watched)

    def history(self, prompt: int, result: Result) -> list[list[int]]:
        """The generation slots before every forward and after the last."""
        stop = prompt + len(result.output_ids)
        return [canvas[0, prompt:stop].tolist() for canvas in self.canvases] + [result.output_ids]


@pytest.mark.parametrize(("name", "arch", "setting"), REVISING, ids=NAMES)
def test_counts_and_traces_are_what_the_canvases_show(
    name: str, arch: str, setting: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    model, revised = backbone(arch, 2), 0
    for prompt in ([3, 4, 5], [9], list(range(17))):
        with monkeypatch.context() as patch:
            watch = Watch(model, patch)
            (result,) = run(model, [Request(prompt, 24, method(name, arch, block_size=8, **setting))])
        seen = watch.history(len(prompt), result)
        assert result.total_forwards == len(watch.canvases)
        assert result.positions == sum(canvas.numel() for canvas in watch.canvases)
        steps = [list(zip(old, new, strict=True)) for old, new in pairwise(seen)]
        changes = sum(MASK not in (old, new) and old != new for step in steps for old, new in step)
        masks = sum(old != MASK and new == MASK for step in steps for old, new in step)
        assert (result.revisions, result.remasks - result.flickers) == (changes, masks)
        moved = [[k for k, step in enumerate(steps, 1) if step[j][0] != step[j][1]] for j in range(24)]
        assert result.reveal_step == [min(found) for found in moved]
        assert result.commit_step == [max(found) for found in moved]
        assert MASK not in result.output_ids
        revised += changes + masks
    assert revised > 5, "a loose setting revises, or the above says little"


@pytest.mark.parametrize(("name", "arch", "setting"), REVISING, ids=NAMES)
def test_alone_in_a_batch_and_after_a_refill(name: str, arch: str, setting: dict[str, Any]) -> None:
    """Blocks of several sizes too, so that rows append different numbers of positions."""
    prompts = ([3, 4, 5], [9], list(range(17)), [7, 7], [40, 2, 1, 0])
    requests = [
        Request(prompt, length, method(name, arch, **{**setting, "block_size": size}))
        for prompt, length, size in zip(prompts, (24, 8, 16, 24, 16), (8, 8, 4, 0, 16), strict=True)
    ]
    model = backbone(arch, 2)
    alone = [run(model, [request])[0] for request in requests]
    for batch in (2, 5):
        for one, other in zip(run(model, requests, batch), alone, strict=True):
            assert same(one, other)
            keys = ("remasks", "flickers", "commit_step", "edits")
            assert [getattr(one, key) for key in keys] == [getattr(other, key) for key in keys]


def test_wino_at_confidence_one_is_one_token_a_forward() -> None:
    (result,) = run(backbone("llada", 1), [Request([5, 6], 16, method("wino", threshold=1.0, block_size=8))])
    assert sorted(result.reveal_step) == list(range(1, 17))
    assert (result.revisions, result.remasks, result.edits) == (0, 0, [])


def test_an_edit_threshold_of_none_never_edits() -> None:
    setting = {"block_size": 8, "threshold": 0.3}
    fast, edited = (
        run(backbone("llada", 2), [Request([5, 6], 16, method("joint_threshold", edit_threshold=bar, **setting))])[0]
        for bar in (None, 0.0)
    )
    assert fast.revisions == 0 < edited.revisions
    assert fast.total_forwards < edited.total_forwards


@pytest.mark.parametrize(("name", "arch", "setting"), REVISING, ids=NAMES)
def test_an_eos_fill_ends_too(name: str, arch: str, setting: dict[str, Any]) -> None:
    """A policy may open or edit the tail; the fill closes it again and decoding ends."""
    made = replace(method(name, arch, block_size=8, **setting), stop=FillTail(), eos_ids=(7, EOS))
    for prompt in ([3], [1, 2, 3], [30] * 9):
        (result,) = run(backbone(arch, 2), [Request(prompt, 24, made)])
        ends = [place for place, token in enumerate(result.output_ids) if token in (7, EOS)]
        assert not ends or set(result.output_ids[ends[0] + 1 :]) <= {7}
        assert MASK not in result.output_ids


@dataclass(frozen=True)
class ByHand(Sequential):
    """Overwrites its first slot in place in every forward after the first, as no policy should."""

    def advance(self, state: State, chosen: Tensor) -> None:
        super().advance(state, chosen)
        rows = torch.arange(len(state))
        state.ids[rows, state.prompt] = torch.where(
            state.forwards > 1, state.forwards % 40, state.ids[rows, state.prompt]
        )


def decoder(**changes: Any) -> Decoder:
    """Blocks in turn by confidence, with changes."""
    values = {"threshold": 1.0, "block_size": 4, "threshold_back": 0.9, "factor": 0.5}
    parts: dict[str, Any] = {"blocks": Sequential(), "cache": NoCache(), "commit": Threshold(confidence=True)}
    return Decoder(**{**parts, "stop": Ignore(), "score": Score("probability"), "values": values, **changes})


def test_a_write_past_the_engine_is_counted_all_the_same() -> None:
    (result,) = run(backbone("llada"), [Request([1, 2], 4, decoder(blocks=ByHand()))])
    assert result.total_forwards == 4
    assert result.output_ids[0] == 4
    assert [edit[0] for edit in result.edits if edit[1] == 0][-1] == 4
    assert result.revisions == len(result.edits) - 1


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("saber", "Remasking does not work with BlockCache: it scores and re-opens slots of earlier blocks"),
        ("wino", "Verified does not work with BlockCache: it appends positions to the canvas"),
    ],
)
def test_what_a_store_cannot_follow_is_refused(name: str, reason: str) -> None:
    with pytest.raises(MethodsUsageError, match=f"{reason}, which a K/V store cannot follow; take NoCache"):
        replace(method(name, block_size=8), cache=BlockCache(dual=False))


def test_edits_within_the_block_go_with_a_block_cache() -> None:
    """Recomputed at every step the cache is none, edits and all."""
    plain = method("joint_threshold", block_size=8, max_post_edit_steps=2)
    values = {**plain.values, "refresh_interval": 1}
    cached = replace(plain, cache=BlockCache(dual=True), values=values)
    left, right = (run(backbone("llada", 2), [Request([4, 5], 16, one)])[0] for one in (plain, cached))
    assert left.revisions > 0
    assert (left.output_ids, left.edits, left.commit_step) == (right.output_ids, right.edits, right.commit_step)


@pytest.mark.parametrize("commit", [Threshold(confidence=True), Factor(), Drafted()])
def test_the_shadow_goes_with_other_rules(commit: Any) -> None:
    shadowed = method("wino", block_size=4).score
    made = decoder(blocks=Verified(), commit=commit, score=shadowed)
    assert 0 not in run(backbone("llada", 2), [Request([1, 2], 8, made)])[0].reveal_step


def test_the_shadow_needs_a_scorer_that_reads_it() -> None:
    with pytest.raises(MethodsUsageError, match="Verified does not work with Verified: it reads the memory 'backed'"):
        decoder(blocks=Verified())


@dataclass(frozen=True)
class Empty(Sequential):
    """Says that it appends and does not."""

    appends = True


@dataclass(frozen=True)
class Unread(Sequential):
    """Appends a mask that is scored, which `Score` does not read."""

    appends = True

    def appended(self, state: State, plan: Plan) -> Appended:
        one = torch.ones(len(state), 1, dtype=torch.bool)
        ids = torch.full((len(state), 1), MASK)
        return Appended(ids, ids * 0, torch.ones(len(state), 1, state.shape.width + 1, dtype=torch.bool), one, one)


@pytest.mark.parametrize(
    ("blocks", "message"),
    [(Empty(), "Empty says that it appends positions and has no `appended`"), (Unread(), "Score has no `appended`")],
)
def test_half_an_appended_block_is_named(blocks: Any, message: str) -> None:
    with pytest.raises(MethodsError, match=message):
        run(backbone("llada"), [Request([1, 2], 4, decoder(blocks=blocks))])


@torch.inference_mode()
def test_a_shadow_slot_sees_everything_but_its_twin_and_the_canvas_not_the_shadow() -> None:
    model = create({**CONFIGS["llada"], **IDS, "n_layers": 1}, 3)  # a second layer would pass on what others have read
    made = method("wino", block_size=4)
    prompt = [5, 6, 7]
    shape = Shape(len(prompt) + 8, MASK, torch.tensor([EOS]), 0, torch.device("cpu"), 2, 50, MASK)
    state = begin(made, shape, [Request(prompt, 8, made)])
    state.ids[:, 3:] = torch.arange(20, 28)
    extra = made.blocks.appended(state, made.blocks.plan(state))

    def forward(ids: Tensor) -> Tensor:
        joined = extra.join(ids, shape.pos, state.total)
        return model.hidden(joined[0], joined[1], readable=joined[2])

    before, plain = forward(state.ids), model.hidden(state.ids, shape.pos)
    torch.testing.assert_close(before[:, :11], plain)
    for place in range(11):
        other = state.ids.clone()
        other[:, place] = 40
        moved = (forward(other)[0, 11:] != before[0, 11:]).any(-1).tolist()
        assert moved == [slot + 3 != place or place > 6 for slot in range(4)], place


def test_wino_is_refused_where_the_slot_before_predicts() -> None:
    with pytest.raises(MethodsUsageError, match="wino is not defined on dream"):
        method("wino", "dream")
