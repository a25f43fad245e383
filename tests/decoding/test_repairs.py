"""Defects of the references: each shown in `compat` and repaired in `fixed`."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch

from methods.backbones import load
from methods.decoding import Factor, Request, Shape, State, begin, decode
from methods.decoding.blocks import per_block
from methods.errors import MethodsError, MethodsUsageError
from methods.reference.commit import ReferenceFactor
from methods.reference.multi_block import StaleCountMultiBlock
from methods.reference.published import reference
from tests.decoding import tiny
from tests.decoding.tiny import method, run

GOLDEN = Path(__file__).parents[1] / "data" / "golden"


@cache
def cases() -> list[dict[str, Any]]:
    with gzip.open(GOLDEN / "cases.jsonl.gz", "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


@cache
def model(name: str) -> Any:
    torch.set_num_threads(1)
    return load(GOLDEN / "checkpoints" / name, device="cpu")


def both(case: dict[str, Any]) -> tuple[Any, Any]:
    """(compat, fixed) results of a recorded case."""
    found: list[Any] = []
    for fidelity in ("compat", "fixed"):
        made, length = reference(case["decoder"], {**case["settings"], "fidelity": fidelity})
        found += decode(model(case["checkpoint"]), [Request(case["prompt_ids"], length, made)])
    return found[0], found[1]


def first(decoder: str, wanted: Any) -> dict[str, Any]:
    return next(case for case in cases() if case["decoder"] == decoder and wanted(case))


def test_phantom_forward() -> None:
    for name in ("llada.multi_block", "llada.tad_multi_block"):
        compat, fixed = both(first(name, lambda case: case["nfe"] != case["actual_forwards"]))
        assert compat.nfe == compat.total_forwards + 1
        assert fixed.nfe == fixed.total_forwards
    pair = [method("d2f", "llada", fidelity, block_size=8) for fidelity in ("compat", "fixed")]
    compat, fixed = (run(tiny.backbone("llada"), [Request([1, 2, 3], 16, made)])[0] for made in pair)
    assert compat.nfe == compat.total_forwards + 1
    assert fixed.nfe == fixed.total_forwards == compat.total_forwards


def test_masks_left_before_an_eos() -> None:
    for name in ("llada.tad_generate", "dream.tad_generate"):
        compat, fixed = both(first(name, lambda case: case["remaining_masks"]))
        assert 197 in compat.output_ids
        assert 197 not in fixed.output_ids


def test_threshold_zero_commits_two_tokens() -> None:
    def wanted(case: dict[str, Any]) -> bool:
        settings = case["settings"]
        return settings["threshold"] == 0 and not settings["early_stop"] and case["nfe"] < settings["max_new_tokens"]

    compat, fixed = both(first("llada.multi_block", wanted))
    assert compat.total_forwards < len(compat.output_ids)
    assert fixed.total_forwards == len(fixed.output_ids)


def test_forwards_that_commit_nothing() -> None:
    case = first("dream.vanilla", lambda case: case["settings"]["steps"] == case["settings"]["max_new_tokens"])
    compat, fixed = both(case)
    assert len(set(compat.reveal_step)) < compat.total_forwards
    assert sorted(fixed.reveal_step) == list(range(1, fixed.total_forwards + 1))


def test_a_first_forward_that_commits_one_token_only() -> None:
    for name in ("dream.fast_prefix_cache", "dream.fast_dual_cache"):
        case = first(name, lambda case: case["settings"].get("threshold") == 0.5 and case["checkpoint"] == "dream_toy")
        compat, fixed = both(case)
        assert compat.reveal_step.count(1) == 1
        assert fixed.total_forwards <= compat.total_forwards


def duplicated(case: dict[str, Any], fidelity: str, monkeypatch: pytest.MonkeyPatch) -> int:
    """Forwards of a case that read two slots of the store with the same position."""
    backbone = model(case["checkpoint"])
    held: dict[int, int] = {}
    count: list[bool] = []
    hidden = backbone.hidden

    def spy(ids: Any, positions: Any, *, store: Any = None, slots: Any = None, readable: Any = None) -> Any:
        if store is not None:
            held.update(zip(slots[0].tolist(), positions[0].tolist(), strict=True))
            read = [held[slot] for slot, may in enumerate(readable[0].tolist()) if may and slot in held]
            count.append(len(read) > len(set(read)))
        return hidden(ids, positions, store=store, slots=slots, readable=readable)

    made, length = reference(case["decoder"], {**case["settings"], "fidelity": fidelity})
    with monkeypatch.context() as patch:
        patch.setattr(backbone, "hidden", spy)
        (result,) = decode(backbone, [Request(case["prompt_ids"], length, made)])
    if fidelity == "compat":
        assert result.output_ids == case["output_ids"]
    assert 197 not in result.output_ids
    return sum(count)


def test_keys_that_are_read_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reference feeds positions again that its cache already holds; ours has one slot a position."""

    def wanted(case: dict[str, Any]) -> bool:
        past, starts = case["forward_past"], case["forward_starts"]
        lists = isinstance(past, list) and isinstance(starts, list)
        return lists and any(held > start for held, start in zip(past, starts, strict=True))

    case = first("dream.multi_block_kv", wanted)
    assert duplicated(case, "compat", monkeypatch) > 0
    assert duplicated(case, "fixed", monkeypatch) == 0


def scored_by(decoder: Any, monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """(slot, position whose hidden state scored it) of a decoding on a model that is a table by position."""
    backbone = tiny.backbone("dream")
    pairs: list[tuple[int, int]] = []
    source: list[int] = []
    table = 6 * torch.randn(128, tiny.VOCAB, generator=torch.Generator().manual_seed(3))

    def hidden(ids: Any, positions: Any, **more: Any) -> Any:
        return positions[..., None].float()

    def head(state: Any) -> Any:
        source[:] = state[:, 0].long().tolist()
        return table[source]

    class Spy(type(decoder.score)):  # type: ignore[misc]
        def __call__(self, logits: Any, state: Any, row: Any, pos: Any) -> Any:
            pairs.extend(zip(pos.tolist(), source, strict=True))
            return super().__call__(logits, state, row, pos)

    with monkeypatch.context() as patch:
        patch.setattr(backbone, "hidden", hidden)
        patch.setattr(backbone, "head", head)
        run(backbone, [Request([1, 2, 3], 24, replace(decoder, score=Spy(**vars(decoder.score))))])
    return pairs


def test_a_window_whose_first_slot_scores_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """On Dream the row before scores a slot; the reference shifts inside the window, which has no row before."""
    cache: dict[str, Any] = {"block_size": 8, "cache_delay": 1, "threshold": 0.5}
    compat = scored_by(method("d3llm_cache", "dream", "compat", **cache), monkeypatch)
    assert any(source == slot for slot, source in compat)
    for name in ("d3llm_cache", "fast_dllm_prefix", "fast_dllm_dual", "fast_dllm_factor"):
        decoder = method(name, "dream", **(cache if name == "d3llm_cache" else {"block_size": 8}))
        pairs = scored_by(decoder, monkeypatch)
        assert {slot - source for slot, source in pairs} == {1}


def test_a_second_forward_of_a_full_block() -> None:
    """Threshold 0 fills a block at once; the reference's cache decoders compute it again all the same."""
    for name in ("fast_dllm_prefix", "fast_dllm_dual"):
        pair = [method(name, "llada", fidelity, block_size=8, threshold=0.0) for fidelity in ("compat", "fixed")]
        compat, fixed = (run(tiny.backbone("llada"), [Request([1, 2, 3], 24, made)])[0] for made in pair)
        assert (compat.total_forwards, fixed.total_forwards) == (6, 3)
        assert compat.output_ids == fixed.output_ids


def test_the_last_rank_of_the_factor_rule() -> None:
    """Confidences .9 .8 .76 pass 1 - 1/(n+1), .1 fails; the reference commits the failing one where it is the last."""
    decoder = method("fast_dllm_factor", factor=1.0, block_size=4)
    shape = Shape(5, tiny.MASK, torch.tensor([tiny.EOS]), 0, torch.device("cpu"))
    state = begin(decoder, shape, [Request([1], 4, decoder)])
    plan = decoder.blocks.plan(state)
    cost = torch.full((1, 5), torch.inf, dtype=torch.float64)
    cost[0, 1:] = -torch.tensor([0.8, 0.1, 0.9, 0.76])
    assert ReferenceFactor().select(state, plan, cost)[0, 1:].tolist() == [True, True, True, True]
    assert Factor().select(state, plan, cost)[0, 1:].tolist() == [True, False, True, True]


def test_a_forward_that_fails_the_threshold_by_equality() -> None:
    """Where the best token is certain, a confidence of 1 passes `>=`: the reference commits several at "never"."""
    sure = tiny.backbone("llada", sharp=1e6)
    pair = [
        method("fast_dllm_dual", "llada", fidelity, block_size=8, threshold=1.0) for fidelity in ("compat", "fixed")
    ]
    compat, fixed = (run(sure, [Request([1, 2, 3], 16, made)])[0] for made in pair)
    assert max(compat.reveal_step.count(step) for step in compat.reveal_step) > 1
    assert sorted(fixed.reveal_step) == list(range(1, 17))


def test_where_no_defect_is_touched_the_two_agree() -> None:
    """LLaDA's own decoding has none: the default fidelity gives the recorded tokens in as many forwards.

    Within a block the order may differ where float32 no longer tells two probabilities apart from 1.
    """
    chosen = [case for case in cases() if case["decoder"] == "llada.vanilla"][::3]
    assert len(chosen) >= 5
    for case in chosen:
        compat, fixed = both(case)
        assert compat.output_ids == fixed.output_ids == case["output_ids"]
        assert (compat.forwards, compat.nfe) == (fixed.forwards, fixed.nfe)
        assert sorted(compat.reveal_step) == sorted(fixed.reveal_step)


def behind_eos(ids: list[int]) -> bool:
    """Whether something else follows the first EOS."""
    return 198 in ids and any(token != 198 for token in ids[ids.index(198) :])


def test_slots_decoded_again_after_the_tail_was_filled() -> None:
    """The reference's list of open slots is older than the fill: text comes out behind the EOS that ended it."""
    for name in ("llada.multi_block", "dream.tad_multi_block"):
        compat, fixed = both(first(name, lambda case: case["overwritten"] and behind_eos(case["output_ids"])))
        assert behind_eos(compat.output_ids)
        assert compat.revisions > 0
        assert not behind_eos(fixed.output_ids)


def test_block_counts_that_an_early_stop_leaves_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    """TAD's code never corrects its stored counts: a block that the fill has finished still asks for a token."""
    wrong: list[bool] = []
    plan = StaleCountMultiBlock.plan

    def spy(self: StaleCountMultiBlock, state: State) -> Any:
        made = plan(self, state)
        exists = state.shape.block < state.own["created"][:, None]
        wrong.append(bool((exists & (state.own["counts"] != per_block(state, state.open))).any()))
        return made

    monkeypatch.setattr(StaleCountMultiBlock, "plan", spy)
    compat, fixed = both(first("llada.tad_multi_block", lambda case: case["id"].endswith("llada_toy/025")))
    assert any(wrong)
    assert compat.output_ids == fixed.output_ids
    assert (compat.total_forwards, fixed.total_forwards) == (4, 3)
    compat, fixed = both(first("llada.tad_multi_block", lambda case: case["id"].endswith("llada_rand/016")))
    # finished slots that were forced; four more were filled with the EOS again before the next forward saw them
    assert (compat.revisions, fixed.revisions) == (3, 0)


def test_a_score_that_sees_fifty_tokens_only() -> None:
    """transformers' default `top_k` changes what the reference commits when; the repaired score does not know it."""
    case = first("dream.fast_prefix_cache", lambda case: case["id"].endswith("dream_toy/009"))
    found: dict[tuple[str, Any], Any] = {}
    for fidelity in ("compat", "fixed"):
        for top_k in (50, None):
            made, length = reference(case["decoder"], {**case["settings"], "fidelity": fidelity, "top_k": top_k})
            (found[fidelity, top_k],) = run(model(case["checkpoint"]), [Request(case["prompt_ids"], length, made)])
    assert found["compat", 50].reveal_step == case["reveal_step"]
    assert found["compat", None].reveal_step != case["reveal_step"]
    assert tiny.same(found["fixed", 50], found["fixed", None])


def test_a_refresh_that_is_due_while_a_block_is_frozen() -> None:
    """Due at every forward, the reference still skips it where it freezes; the repaired cache recomputes all."""
    pair = [
        method("d3llm_cache", "llada", fidelity, block_size=8, cache_delay=1, refresh_interval=1, early_stop=False)
        for fidelity in ("compat", "fixed")
    ]
    compat, fixed = (run(tiny.backbone("llada"), [Request([1, 2, 3], 32, made)])[0] for made in pair)
    assert compat.positions < compat.total_forwards * 35
    assert fixed.positions == fixed.total_forwards * 35


def test_a_tail_that_no_block_covers() -> None:
    """20 slots in blocks of 8: the reference makes two blocks and leaves four masks, or never ends."""
    compat, fixed = (method("d3llm", "llada", fidelity, block_size=8) for fidelity in ("compat", "fixed"))
    with pytest.raises(MethodsError, match="no slot is eligible although some are open"):
        run(tiny.backbone("llada"), [Request([1, 2, 3], 20, compat)])
    with pytest.raises(MethodsUsageError, match="does not divide"):
        run(tiny.backbone("llada"), [Request([1, 2, 3], 20, fixed)])


def test_a_model_that_wants_the_mask_token(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where every slot's best token is the mask, a decoder that commits it never ends; the next best is taken."""
    backbone = tiny.backbone("llada")
    head = backbone.head

    def wants(state: Any) -> Any:
        logits = head(state)
        logits[:, tiny.MASK] = logits.max(-1).values + 1
        return logits

    monkeypatch.setattr(backbone, "head", wants)
    for name, settings in (("d3llm", {"early_stop": False}), ("fast_dllm_dual", {}), ("vanilla", {})):
        (result,) = run(backbone, [Request([1, 2, 3], 16, method(name, "llada", block_size=8, **settings))])
        assert tiny.MASK not in result.output_ids
        assert result.total_forwards <= 16


def test_a_top_k_that_reaches_slots_that_are_no_masks() -> None:
    """Saber at n = 6 on blocks of 4: its published code fills later slots ahead and rewrites tokens that stand."""
    prompt = [1, 3]
    compat, fixed = (
        run(tiny.backbone("llada", 1), [Request(prompt, 12, method("saber", "llada", fidelity, n=6, block_size=4))])[0]
        for fidelity in ("compat", "fixed")
    )
    assert fixed.reveal_step == [1] * 4 + [2] * 4 + [3] * 4
    assert compat.reveal_step[:4] == [1] * 4
    assert 1 in compat.reveal_step[8:]
    assert compat.revisions > 0 == fixed.revisions
