"""Tokens kept, TPF and the reference rules, on hand-counted cases and by invariants."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.metrics import compat_tokens, keep, summarise, tpf, tpf_compat, tpf_sample_mean
from harness.stats import wilson
from tests.harness.samples import make_run, make_sample

EOS, EOT, MASK, PAD = 1, 2, 3, 4


def pieces_of(ids: Sequence[int]) -> list[str]:
    special = {EOS: "<eos>", EOT: "<eot>", MASK: "<mask>", PAD: "<pad>"}
    return [special.get(token, chr(ord("a") + token % 26)) for token in ids]


@pytest.mark.parametrize(
    ("pieces", "until", "kept", "text"),
    [
        (["ab", "cd", "ef"], [], 3, "abcdef"),
        (["ab", "cd", "ef"], ["cd"], 1, "ab"),
        (["ab", "cd", "ef"], ["ab"], 0, ""),
        (["ab", "cd", "ef"], ["d"], 2, "abc"),  # cut in half: its first half is kept text, so it counts
        (["ab", "cd", "ef"], ["bc"], 1, "a"),  # begins in one token, ends in the next
        (["ab", "", "cd"], ["cd"], 1, "ab"),  # an empty piece (half a character) at the cut goes with what follows
        (["a", "", "b", "cd"], ["cd"], 3, "ab"),
        (["ab", "cd"], ["zz", "", "d", "cd"], 1, "ab"),  # the earliest wins, the empty string stops nothing
    ],
)
def test_a_stop_string_cuts_where_it_begins(pieces: list[str], until: list[str], kept: int, text: str) -> None:
    ids = list(range(10, 10 + len(pieces)))
    assert keep(ids, pieces, eos=(EOS,), until=until) == (kept, text)


def test_pieces_must_be_as_many_as_ids() -> None:
    with pytest.raises(ValueError, match="zip"):
        keep([10, 11], ["k"], eos=(EOS,))


def test_the_first_eos_or_eot_ends_the_answer() -> None:
    ids = [10, 11, EOT, 12, EOS]
    assert keep(ids, pieces_of(ids), eos=(EOS, EOT)) == (2, "kl")
    assert keep([EOS, 10], ["<eos>", "k"], eos=(EOS, EOT)) == (0, "")


def test_special_ids_count_but_have_no_text_and_masks_neither() -> None:
    ids = [10, PAD, 11, MASK, 12]
    assert keep(ids, pieces_of(ids), eos=(EOS,), skip=(PAD,), mask=MASK) == (4, "klm")


def test_the_strip_policy_scores_the_text_behind_an_eos_with_the_same_count() -> None:
    ids = [10, EOS, 11, EOS, 12]
    assert keep(ids, pieces_of(ids), eos=(EOS,), policy="strip") == (1, "klm")
    assert keep(ids, pieces_of(ids), eos=(EOS,), policy="strip", until=["l"]) == (1, "k")
    ids = [10, EOS, MASK, 11]
    assert keep(ids, pieces_of(ids), eos=(EOS,), policy="strip", mask=MASK) == (1, "kl")


@given(
    ids=st.lists(st.integers(0, 60), max_size=40), until=st.lists(st.text("abcde", min_size=1, max_size=3), max_size=3)
)
def test_what_is_kept_is_a_beginning_without_eos_and_stop_strings(ids: list[int], until: list[str]) -> None:
    kept = keep(ids, pieces_of(ids), eos=(EOS, EOT), until=until, mask=MASK)
    assert 0 <= kept.tokens <= len(ids)
    assert not any(token in (EOS, EOT) for token in ids[: kept.tokens] if MASK not in ids)
    assert not any(stop in kept.text for stop in until)
    tail = keep([*ids, EOS, 9, 9, EOS], pieces_of([*ids, EOS, 9, 9, EOS]), eos=(EOS, EOT), until=until, mask=MASK)
    assert tail == kept, "what follows the first EOS never counts"


def test_tpf_is_the_ratio_of_sums_and_drafts_do_not_count() -> None:
    forwards = [{"prefill": 1, "denoise": 1, "draft": 90}, {"denoise": 8}]
    samples = [make_sample(n, tokens=t, forwards=f) for n, (t, f) in enumerate(zip((10, 8), forwards, strict=True))]
    assert tpf(samples) == 18 / 10
    assert tpf_sample_mean(samples) == (5 + 1) / 2
    assert tpf([]) is None


def count(text: str) -> list[int]:
    """A tokenizer of the tests: one id a character, special strings one id."""
    ids = []
    while text:
        name = next((n for n in ("<eos>", "<eot>") if text.startswith(n)), text[0])
        ids.append({"<eos>": EOS, "<eot>": EOT}.get(name, 50))
        text = text[len(name) :]
    return ids


def decode(ids: Sequence[int], skip_special: bool) -> str:
    return "".join(piece for piece in pieces_of(ids) if not (skip_special and piece.startswith("<")))


@pytest.mark.parametrize(
    ("rule", "arch", "task", "expected"),
    [
        ("d3llm", "llada", "gsm8k", 5),  # k l <eot> n n: EOS is not counted, what follows it is, up to the stop string
        ("tad", "llada", "gsm8k", 2),  # cut at EOT
        ("d3llm", "llada", "humaneval", 6),  # specials skipped, no stop string: k l n n z z
        ("tad", "llada", "humaneval", 6),
        ("d3llm", "dream", "gsm8k", 3),  # k l <eot>, cut at EOS
        ("tad", "dream", "gsm8k", 3),
        ("d3llm", "a2d", "gsm8k", 3),
        ("tad", "a2d", "gsm8k", 3),
    ],
)
def test_the_reference_rules(rule: str, arch: str, task: str, expected: int) -> None:
    ids = [10, 11, EOT, EOS, 13, 13, 25, 25]
    until = ["z"]
    found = compat_tokens(rule, arch, task, ids, decode=decode, count=count, eos=(EOS, EOT), until=until)
    assert found == expected


def test_tad_counts_the_eos_padding_that_d3llm_leaves_out() -> None:
    ids = [10, EOS, EOS, EOS]
    common = {"decode": decode, "count": count, "eos": (EOS, EOT), "until": []}
    assert compat_tokens("tad", "llada", "gsm8k", ids, **common) == 4  # type: ignore[arg-type]
    assert compat_tokens("d3llm", "llada", "gsm8k", ids, **common) == 1  # type: ignore[arg-type]


def test_dream_stop_strings_cut_for_d3llm_only() -> None:
    ids = [10, 25, 11, EOS]
    common = {"decode": decode, "count": count, "eos": (EOS,), "until": ["z"]}
    assert compat_tokens("d3llm", "dream", "gsm8k", ids, **common) == 1  # type: ignore[arg-type]
    assert compat_tokens("tad", "dream", "gsm8k", ids, **common) == 3  # type: ignore[arg-type]


def test_dream_without_an_eos_is_counted_whole() -> None:
    found = compat_tokens("tad", "dream", "gsm8k", [10, EOS, 11], decode=decode, count=count, eos=(), until=[])
    assert found == 3


def test_the_first_of_two_stop_strings_cuts() -> None:
    ids = [10, 25, 11, 25, 12]  # k z l z m
    common = {"decode": decode, "count": count, "eos": (EOS, EOT), "until": ["z", "", "l"]}
    assert compat_tokens("tad", "llada", "gsm8k", ids, **common) == 1  # type: ignore[arg-type]


def test_d3llm_leaves_its_ten_warm_up_samples_out() -> None:
    samples = [make_sample(n, tokens_compat={"d3llm": 100 if n < 10 else 4, "tad": 1}, nfe=2) for n in range(12)]
    assert tpf_compat(samples) == {"d3llm": 2.0, "tad": 0.5}
    assert tpf_compat(samples[:10])["d3llm"] == 50.0
    assert tpf_compat([make_sample(0, tokens_compat={})]) == {"d3llm": None, "tad": None}


def test_the_summary_does_not_depend_on_the_order_of_samples() -> None:
    run = make_run()
    samples = [make_sample(n, tokens=n % 5) for n in range(30)]
    assert summarise(run, samples) == summarise(run, samples[::-1])


def test_a_summary_has_every_key_of_the_design() -> None:
    keys = """run_id suite method task protocol setting seed n_samples metric accuracy accuracy_ci95 tokens forwards
    positions tpf tpf_ci95 tpf_sample_mean tpf_compat tps decode_seconds batch_size device empty_outputs truncated"""
    assert set(keys.split()) <= set(summarise(make_run(), [make_sample(0)]))


def test_a_summary_counted_by_hand() -> None:
    samples = [
        make_sample(0, tokens=6, forwards={"prefill": 1, "denoise": 2, "draft": 7}, seconds=0.25, positions=10),
        make_sample(1, tokens=2, forwards={"denoise": 4, "refresh": 1}, seconds=0.25, positions=20),
        make_sample(2, tokens=0, forwards={"denoise": 2}, seconds=0.0, positions=5, outcome="wrong", correct=0),
        make_sample(3, tokens=0, forwards={}, seconds=0.0, positions=0, outcome="error", correct=0, truncated=True),
    ]
    session = {"batch_size": 9, "device": "cuda:3", "samples": 4}
    found = summarise(make_run(sessions=[session, {"batch_size": 1, "device": "cpu", "samples": 0}]), samples)
    assert (found["n_samples"], found["accuracy"]) == (4, 25.0)
    assert found["accuracy_ci95"] == list(wilson(1, 4))
    assert (found["tokens"], found["forwards"], found["positions"]) == (8, 10, 35)
    assert found["forwards_by_kind"] == {"prefill": 1, "denoise": 8, "refresh": 1, "draft": 7}
    assert (found["tpf"], found["tps"], found["decode_seconds"]) == (0.8, 16.0, 0.5)
    assert found["tpf_sample_mean"] == pytest.approx((2 + 0.4 + 0) / 3)
    assert found["tpf_ci95"] is None, "three decoded samples say nothing of the spread"
    assert (found["batch_size"], found["device"]) == (9, "cuda:3")
    assert (found["empty_outputs"], found["truncated"], found["errors"]) == (1, 1, 1)
    assert found["outcomes"] == {"correct": 1, "error": 1, "wrong": 2}


def test_batch_and_device_of_sessions_that_differ_are_null() -> None:
    from harness.show import measured_on

    sessions = [{"batch_size": 1, "device": "cpu", "samples": 2}, {"batch_size": 8, "device": "cpu"}]
    found = summarise(make_run(sessions=sessions), [make_sample(n) for n in range(4)])
    assert (found["batch_size"], found["device"]) == (None, "cpu")
    assert measured_on(found) == "mixed batch sizes, cpu"


def test_the_summary_of_no_samples() -> None:
    found = summarise(make_run(sessions=None), [])
    assert (found["accuracy"], found["accuracy_ci95"], found["tpf"], found["tps"]) == (None,) * 4
    assert (found["batch_size"], found["device"], found["outcomes"], found["tokens"]) == (None, None, {}, 0)


def test_nothing_measured_is_null_not_zero() -> None:
    truncated = make_sample(
        0, truncated=True, tokens=0, forwards={"denoise": 0}, seconds=0.0, tokens_compat={}, correct=0
    )
    summary = summarise(make_run(), [truncated])
    assert (summary["tpf"], summary["tpf_ci95"], summary["tps"], summary["tpf_sample_mean"]) == (None,) * 4
    assert (summary["accuracy"], summary["truncated"], summary["empty_outputs"]) == (0.0, 1, 0)
    assert summarise(make_run(), [])["accuracy"] is None


def test_a_sample_whose_scorer_raised_is_not_a_wrong_answer() -> None:
    samples = [make_sample(0, correct=1, outcome="correct"), make_sample(1, correct=0, outcome="wrong")]
    raised = [make_sample(n, correct=0, outcome="error") for n in (2, 3)]
    found = summarise(make_run(), [*samples, *raised])
    assert (found["n_samples"], found["errors"], found["accuracy"]) == (4, 2, 50.0)
    assert found["accuracy_ci95"] == list(wilson(1, 2))
    assert found["tokens"] == sum(sample["tokens"] for sample in [*samples, *raised])
    assert summarise(make_run(), raised)["accuracy"] is None
