"""The row whose settings name the policies: what fits decodes as the row it comes from, what does not is refused."""

from __future__ import annotations

from typing import Any

import pytest

from methods import registry
from methods.decoding import Request
from methods.errors import MethodsUsageError
from methods.params import Ids
from tests.decoding.tiny import backbone, method, run, same

PROMPTS = ([1, 2, 3], [4] * 9, list(range(17)))
EQUAL: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("fast_dllm_prefix", {"threshold": 0.4}, {"threshold": 0.4, "cache": "prefix"}),
    ("fast_dllm_dual", {"threshold": 0.4}, {"threshold": 0.4, "cache": "dual"}),
    ("fast_dllm_factor", {"cache": "none"}, {"commit": "factor"}),
    ("dparallel", {"threshold": 0.7}, {"threshold": 0.7, "score": "entropy"}),
    ("vanilla", {"tokens_per_step": 3}, {"commit": "quota", "tokens_per_step": 3}),
    ("eb_sampler", {"gamma": 0.8, "block_size": 8}, {"commit": "eb_sampler", "gamma": 0.8}),
    (
        "localleap",
        {"threshold": 0.3, "relaxed_threshold": 0.1},
        {"commit": "localleap", "threshold": 0.3, "relaxed_threshold": 0.1},
    ),
    ("credit", {"threshold": 0.5}, {"score": "credit", "threshold": 0.5}),
    ("klass", {"threshold": 0.2, "kl_threshold": 1.0}, {"commit": "klass", "threshold": 0.2, "kl_threshold": 1.0}),
    (
        "adablock",
        {"delimiters": (3, 4, 5), "delimiter_threshold": 0.05},
        {"blocks": "adablock", "delimiters": (3, 4, 5), "delimiter_threshold": 0.05},
    ),
    ("slowfast", {"threshold": 0.4, "block_size": 8}, {"blocks": "slowfast", "threshold": 0.4}),
    ("d2f", {"threshold": 0.4}, {"commit": "per_block", "cache": "block_causal", "threshold": 0.4}),
    (
        "d3llm_cache",
        {"refresh_interval": 3},
        {"blocks": "multi_block", "cache": "delayed", "score": "entropy", "refresh_interval": 3},
    ),
]


@pytest.mark.parametrize("arch", ["llada", "dream"])
@pytest.mark.parametrize(("name", "own", "named"), EQUAL, ids=[one[0] for one in EQUAL])
def test_the_policies_of_a_row_give_that_row(name: str, own: dict[str, Any], named: dict[str, Any], arch: str) -> None:
    model = backbone(arch, 1)
    pair = (method(name, arch, **{"block_size": 8, **own}), method("custom", arch, **{"block_size": 8, **named}))
    left, right = (run(model, [Request(prompt, 24, made) for prompt in PROMPTS], 2) for made in pair)
    assert all(map(same, left, right))


@pytest.mark.parametrize(
    "named",
    [
        {"commit": "localleap", "blocks": "multi_block", "cache": "delayed"},
        {"commit": "localleap", "score": "credit", "cache": "prefix"},
        {"commit": "eb_sampler", "blocks": "multi_block"},
        {"commit": "quota", "blocks": "adablock", "delimiters": (3, 4), "cache": "dual"},
        {"commit": "localleap", "blocks": "slowfast"},
        {"commit": "factor", "score": "credit", "early_stop": True},
    ],
)
def test_what_no_paper_has_decodes_alike_alone_and_in_a_batch(named: dict[str, Any]) -> None:
    made, model = method("custom", block_size=8, **named), backbone("llada", 2)
    requests = [Request(prompt, length, made) for prompt, length in zip(PROMPTS, (24, 8, 16), strict=True)]
    together = run(model, requests, 2)
    assert all(same(one, run(model, [request])[0]) for one, request in zip(together, requests, strict=True))
    assert all(model.special.mask not in result.output_ids for result in together)


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ({"commit": "eb_sampler", "score": "probability"}, "commit=eb_sampler cannot read score=probability: it takes"),
        ({"score": "entropy", "blocks": "slowfast"}, "blocks=slowfast reads probabilities, and score=entropy is none"),
        ({"cache": "delayed"}, "cache=delayed score=probability do not fit: Delayed does not work with Sequential"),
        ({"blocks": "slowfast", "cache": "dual"}, "SlowFast does not work with BlockCache: it cuts the canvas"),
        ({"commit": "klass", "cache": "prefix"}, "Ahead does not work with BlockCache: it scores the next block"),
        ({"blocks": "multi_block", "cache": "prefix"}, "BlockCache does not work with MultiBlock"),
        ({"commit": "klass", "blocks": "multi_block"}, "SureAndStill does not work with MultiBlock"),
        ({"radius": 3}, "radius=3 has no effect with commit=threshold blocks=sequential cache=none score=probability"),
        ({"refresh_interval": 3}, "refresh_interval=3 has no effect"),
        ({"delimiters": (3,)}, "delimiters have no effect with blocks=sequential"),
        ({"blocks": "adablock"}, "this checkpoint has none; give their ids, such as delimiters=198"),
    ],
)
def test_what_does_not_fit_is_refused(named: dict[str, Any], message: str) -> None:
    with pytest.raises(MethodsUsageError, match=message):
        method("custom", **named)


class Newline:
    """A tokenizer that knows one text."""

    def __init__(self, ids: list[int]) -> None:
        self.ids = ids

    def __call__(self, text: str, add_special_tokens: bool) -> dict[str, list[int]]:
        assert not add_special_tokens
        return {"input_ids": self.ids}


@pytest.mark.parametrize("fidelity", ["fixed", "compat"])
def test_delimiters_are_the_tokenizers_newline(fidelity: str) -> None:
    row = registry.get("adablock")
    made = row.build(row.settings(), "llada", fidelity, Newline([7]))
    assert made.blocks.delimiters == (7,)
    with pytest.raises(MethodsUsageError, match="makes 2 tokens of a newline"):
        row.build(row.settings(), "llada", fidelity, Newline([7, 8]))


def test_the_words_of_prophet_stand_right_before_the_answer() -> None:
    row = registry.get("prophet")
    made = row.build(row.settings({"answer_start": 10, "gap_scale": 1e9}), "llada", "fixed", Newline([5, 6, 7]))
    (result,) = run(backbone("llada"), [Request([1, 2], 32, made)])
    assert result.output_ids[7:10] == [5, 6, 7]
    assert [slot for slot, step in enumerate(result.reveal_step) if step == 0] == [7, 8, 9]
    assert result.total_forwards == 29
    late = row.build(row.settings({"answer_start": 10, "block_size": 8}), "llada", "fixed", Newline([5]))
    with pytest.raises(MethodsUsageError, match="stand at slot 10, but 8 slots are generated"):
        run(backbone("llada"), [Request([1], 8, late)])


@pytest.mark.parametrize(("value", "wanted"), [("198,11", (198, 11)), ([3], (3,)), ("", ()), ("none", None), ([], ())])
def test_ids_are_read_from_text_and_json(value: Any, wanted: Any) -> None:
    assert Ids(tuple, None, "", none=True).coerce("delimiters", value) == wanted


def test_pairs_are_read_from_text_and_json() -> None:
    pairs = Ids(tuple, None, "", none=True, pairs=True)
    assert pairs.coerce("prefill", "5:7, 6:9") == pairs.coerce("prefill", [[5, 7], [6, 9]]) == ((5, 7), (6, 9))
    for wrong in ("5", "5:x", [[1, 2, 3]], [5], [[-1, 2]]):
        with pytest.raises(MethodsUsageError, match="prefill is a list of slot:id"):
            pairs.coerce("prefill", wrong)
