"""The Monte-Carlo bound against its exact value by enumeration, and the exact likelihood of causal models."""

from __future__ import annotations

import json
import random
from itertools import combinations
from pathlib import Path

import pytest
import torch

from harness.errors import UsageError
from harness.likelihood import draws, estimate, loglikelihood
from methods.backbones import create, save
from tests.backbones.test_special import tokenizer_folder
from tests.backbones.tiny import DREAM, LLADA, LLAMA, QWEN2

PAIRS = [([3, 4, 5], [6, 7, 8]), ([9], [10, 11]), ([1, 2], [3]), ([5, 6, 7, 8], [9, 10, 11, 12])]


def enumerated(backbone: object, context: list[int], target: list[int]) -> float:
    """The bound with every subset of every size, no sampling."""
    total, length = 0.0, len(target)
    for size in range(1, length + 1):
        subsets = list(combinations(range(length), size))
        for places in subsets:
            ids = torch.tensor([context + [60 if n in places else token for n, token in enumerate(target)]])
            logits = backbone.head(backbone.hidden(ids, torch.arange(ids.shape[1])[None]))[0]
            logits = logits.double().log_softmax(-1)
            score = sum(logits[len(context) + n - backbone.shift, target[n]] for n in places)
            total += float(score) * length / size / len(subsets) / length
    return total


@pytest.mark.parametrize("config", [LLADA, DREAM], ids=["llada", "dream"])
def test_the_bound_is_unbiased(config: dict) -> None:
    backbone = create({**config, "initializer_range": 0.2}, 3)
    backbone.model.lm_head.weight.mul_(20)  # sharp enough to see the difference between subsets
    for context, target in PAIRS:
        exact = enumerated(backbone, context, target)
        (one,) = estimate(backbone, [(context, target)], mc_num=1500, batch_size=500)
        assert abs(one.value - exact) <= max(5 * one.stderr, 1e-5)
        assert one.draws == (1 if len(target) == 1 else 1500)
        assert not one.greedy


def test_neither_order_nor_batch_size_nor_company_matters() -> None:
    backbone = create(LLADA, 4)
    want = loglikelihood(backbone, PAIRS, mc_num=16)
    shuffled = random.Random(0).sample(range(4), 4)
    got = loglikelihood(backbone, [PAIRS[n] for n in shuffled], mc_num=16, batch_size=5)
    for place, n in enumerate(shuffled):
        assert got[place][0] == pytest.approx(want[n][0], rel=1e-5)
    assert loglikelihood(backbone, PAIRS, mc_num=16) == want
    assert loglikelihood(backbone, PAIRS[:1], mc_num=16, seed=1) != want[:1]


@pytest.mark.parametrize("length", [2, 5, 17])
def test_draws_are_stratified_in_the_number_of_masks(length: int) -> None:
    masks = draws(length, 10 * length, 0, [1, 2])
    assert masks.sum(1).bincount(minlength=length + 1).tolist() == [0] + [10] * length
    assert abs(masks.float().mean(0) - masks.float().mean()).max() < 0.25


@pytest.mark.parametrize("config", [LLAMA, QWEN2], ids=["llama", "qwen2"])
def test_causal_models_are_scored_exactly(config: dict) -> None:
    backbone = create(config, 5)
    for (context, target), one in zip(PAIRS, estimate(backbone, PAIRS, batch_size=3), strict=True):
        ids = torch.tensor([context + target])
        scores = backbone.model(input_ids=ids).logits[0].double().log_softmax(-1)
        want = sum(float(scores[len(context) + n - 1, token]) for n, token in enumerate(target))
        assert one.value == pytest.approx(want, abs=1e-4)
        assert one.stderr == 0
    context, target = [3, 4], []
    while len(target) < 3:
        ids = torch.tensor([context + target])
        target.append(int(backbone.model(input_ids=ids).logits[0, -1].argmax()))
    assert loglikelihood(backbone, [(context, target)])[0][1] is True


def test_a_long_context_loses_its_left_end(capsys: pytest.CaptureFixture[str]) -> None:
    backbone = create(LLAMA, 6)
    long = list(range(60)) * 3
    assert loglikelihood(backbone, [(long, [1, 2])]) == loglikelihood(backbone, [(long[-126:], [1, 2])])
    assert "1 contexts are longer" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("pairs", "options", "words"),
    [
        ([([], [1])], {}, "at least one token of context"),
        ([([1], [])], {}, "one of continuation"),
        ([([1], [2] * 128)], {}, "does not fit the context of 128"),
        (PAIRS, {"mc_num": 0}, "mc_num=0"),
        (PAIRS, {"batch_size": 0}, "batch_size=0"),
    ],
)
def test_bad_requests(pairs: list, options: dict, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        loglikelihood(create(LLADA, 1), pairs, **options)


def test_multiple_choice_of_lm_eval_through_the_adapter(tmp_path: Path) -> None:
    from lm_eval import simple_evaluate
    from lm_eval.tasks import TaskManager

    from harness.adapter import DllmLM

    folder = tokenizer_folder(save(create({**LLADA, "embedding_size": 80}, 1), tmp_path / "model"))
    data = tmp_path / "docs.jsonl"
    data.write_text("\n".join(json.dumps({"question": f"${n}$", "label": n % 2}) for n in range(3)))
    task = {
        "task": "two_choices",
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": str(data)}},
        "test_split": "test",
        "output_type": "multiple_choice",
        "doc_to_text": "{{question}}",
        "doc_to_choice": ["!!", "##!"],
        "doc_to_target": "{{label}}",
        "metric_list": [{"metric": "acc"}],
    }
    model = DllmLM("vanilla", suite="llada", checkpoint=str(folder), device="cpu", mc_num=4)
    found = simple_evaluate(
        model=model, tasks=[task], task_manager=TaskManager(include_defaults=False), bootstrap_iters=2, log_samples=True
    )
    encode = model.tok_encode
    for sample in found["samples"]["two_choices"]:
        pairs = [(encode(sample["doc"]["question"]), encode(choice)) for choice in ("!!", "##!")]
        want = [value for value, _ in loglikelihood(model.backbone, pairs, mc_num=4)]
        got = [float(response[0][0]) for response in sample["resps"]]
        assert got == pytest.approx(want)
        assert sample["acc"] == float(want.index(max(want)) == sample["doc"]["label"])
