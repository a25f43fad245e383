"""Trajectories: what is stored, what a killed run keeps, and which sets are refused. The decoder here is a stand-in."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tokenizers.processors import TemplateProcessing

from methods.backbones import Backbone
from methods.decoding import Decoder, Request, Result
from methods.distill.problems import Problem, gold_trajectories
from methods.distill.prompts import with_reference
from methods.distill.teacher import teacher_decoder
from methods.distill.tokenizer import train_tokenizer
from methods.distill.trajectory_files import HEADER, load_trajectories, shard_file
from methods.distill.trajectory_generation import Plan, generate
from methods.errors import MethodsError
from tests.distill import tiny

TOKENIZER = train_tokenizer(["1+1=2 the answer is 3"], vocab_size=300)


def teacher(seed: int = 0) -> Backbone:
    config = tiny.LLADA | {"vocab_size": 300, "embedding_size": 300, "mask_token_id": 1, "eos_token_id": 0}
    made = tiny.create(config | {"pad_token_id": 2}, seed)
    made.tokenizer, made.fingerprint = TOKENIZER, f"teacher{seed}"
    return made


def problems(n: int = 10) -> list[Problem]:
    return [Problem(f"toy/{i}", "toy", f"{i}+1=", f"Reference Answer: {i + 1}\n\n{i}+1=", str(i + 1)) for i in range(n)]


class Fake:
    """Answers every prompt rightly at the second temperature; counts its requests; may die."""

    def __init__(self, dies_at: int = 10**9) -> None:
        self.prompts: list[list[int]] = []
        self.temperatures: list[float] = []
        self.dies_at = dies_at

    def decoder(self, temperature: float) -> Decoder:
        return teacher_decoder("llada", 8)(temperature)

    def __call__(self, backbone: Backbone, requests: Sequence[Request], batch_size: int) -> Iterator[Result]:
        for index in reversed(range(len(requests))):
            request = requests[index]
            self.prompts.append(request.prompt_ids)
            self.temperatures.append(float(request.decoder.values.get("temperature", 0.0)))
            if len(self.prompts) > self.dies_at:
                raise KeyboardInterrupt
            answer = TOKENIZER("right" if self.temperatures[-1] > 0 else "wrong").input_ids
            ids = answer + [0] * (request.gen_length - len(answer))
            order = [int(v) for v in np.random.default_rng(request.seed).permutation(len(ids)) + 1]
            yield Result(index, ids, {"denoise": len(ids)}, len(ids), 1, order, "length", 0.0, 0)


def run(folder: Path, fake: Fake, **changes: Any) -> dict[str, int]:
    plan = Plan(gen_length=16, temperatures=(0.0, 0.1), shard=4, **changes)

    def grade(problem: Problem, ids: Sequence[int]) -> tuple[str, bool]:
        text = TOKENIZER.decode(ids, skip_special_tokens=True)
        return text, text == "right" and problem.id != "toy/3"

    return generate(teacher(), problems(), folder, plan, decoder=fake.decoder, grade=grade, decode=fake)


def test_order_prompts_and_filter(tmp_path: Path) -> None:
    fake = Fake()
    counts = run(tmp_path, fake)
    assert counts == {"problems": 10, "correct": 9, "shards": 3}
    rows = load_trajectories(tmp_path, teacher())
    assert [row.id for row in rows] == [f"toy/{i}" for i in range(10) if i != 3]
    assert len(load_trajectories(tmp_path, teacher(), correct_only=False)) == 10
    row = rows[0]
    assert row.text == "right"
    assert sorted(row.reveal) == list(range(1, 17))
    assert TOKENIZER.decode(row.prompt) == "0+1="
    assert TOKENIZER.decode(row.teacher).startswith("Reference Answer: 1")
    assert fake.temperatures.count(0.1) == 10
    assert fake.prompts[0] == row.decoded.tolist() or row.id


def test_privileged_decode_keeps_the_plain_prompt(tmp_path: Path) -> None:
    fake = Fake()
    run(tmp_path, fake, decode_from="privileged")
    row = load_trajectories(tmp_path, teacher())[0]
    np.testing.assert_array_equal(row.decoded, row.teacher)
    assert TOKENIZER.decode(row.prompt) == "0+1="
    assert all(TOKENIZER.decode(prompt).startswith("Reference") for prompt in fake.prompts)


def test_a_killed_run_continues_with_the_same_result(tmp_path: Path) -> None:
    whole, torn = tmp_path / "whole", tmp_path / "torn"
    run(whole, Fake())
    with pytest.raises(KeyboardInterrupt):
        run(torn, Fake(dies_at=11))
    assert shard_file(torn, 0).exists()
    assert not shard_file(torn, 1).exists()
    rest = Fake()
    run(torn, rest)
    assert len(rest.prompts) == 12  # 6 problems, two attempts each
    for a, b in zip(load_trajectories(whole, teacher()), load_trajectories(torn, teacher()), strict=True):
        np.testing.assert_array_equal(a.reveal, b.reveal)


def test_parts_make_one_set(tmp_path: Path) -> None:
    assert run(tmp_path, Fake(), part=1, parts=2) == {"problems": 4, "correct": 4, "shards": 1}
    with pytest.raises(MethodsError, match="lacks 2 of 3 shards"):
        load_trajectories(tmp_path, teacher())
    assert run(tmp_path, Fake(), part=0, parts=2) == {"problems": 6, "correct": 5, "shards": 2}
    assert len(load_trajectories(tmp_path, teacher())) == 9


def test_other_checkpoint_other_tokenizer_other_settings(tmp_path: Path) -> None:
    run(tmp_path, Fake())
    with pytest.raises(MethodsError, match="made by the checkpoint teacher0"):
        load_trajectories(tmp_path, teacher(1))
    assert load_trajectories(tmp_path, teacher(1), same_teacher=False)
    other = teacher()
    other.tokenizer = train_tokenizer(["something else entirely"], vocab_size=290)
    with pytest.raises(MethodsError, match="tokenizer"):
        load_trajectories(tmp_path, other)
    with pytest.raises(MethodsError, match="differ in plan"):
        run(tmp_path, Fake(), seed=5)


def test_empty_and_fully_filtered_sets(tmp_path: Path) -> None:
    with pytest.raises(MethodsError, match="no trajectories"):
        load_trajectories(tmp_path, teacher())
    fake, plan = Fake(), Plan(gen_length=16, shard=8)
    with pytest.raises(MethodsError, match="no problems"):
        generate(teacher(), [], tmp_path, plan, decoder=fake.decoder, grade=lambda p, t: ("", True), decode=fake)
    generate(teacher(), problems(), tmp_path, plan, decoder=fake.decoder, grade=lambda p, t: ("", False), decode=fake)
    with pytest.raises(MethodsError, match="none of the 10 trajectories is correct"):
        load_trajectories(tmp_path, teacher())


def test_a_torn_shard_is_named(tmp_path: Path) -> None:
    run(tmp_path, Fake())
    shard_file(tmp_path, 1).write_bytes(b"PAR1 not really")
    with pytest.raises(MethodsError, match="shard-00001"):
        load_trajectories(tmp_path, teacher())


def test_storage_is_linear_in_the_length(tmp_path: Path) -> None:
    run(tmp_path, Fake())
    head = json.loads((tmp_path / HEADER).read_text())
    assert head["plan"]["gen_length"] == 16
    rows = load_trajectories(tmp_path, teacher())
    assert all(len(row.response) == len(row.reveal) == 16 for row in rows)


def with_bos(backbone: Backbone) -> Backbone:
    """The teacher with a tokenizer that puts id 2 in front of every text, as LLaMA's does."""
    backbone.tokenizer = copy.deepcopy(TOKENIZER)
    backbone.tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single="<|pad|> $A", special_tokens=[("<|pad|>", 2)]
    )
    assert backbone.tokenizer("1").input_ids[0] == 2
    return backbone


@pytest.mark.parametrize("chat", [True, False])
def test_one_bos_as_the_runner_writes_it(chat: bool) -> None:
    """A chat template writes the BOS itself; a gold response never begins with one."""
    from harness.text import Reader

    backbone = with_bos(teacher())
    prompt = "<|pad|>1+1=" if chat else "1+1="
    row = gold_trajectories(backbone, [Problem("toy/0", "toy", prompt, prompt, "2", chat=chat)], 8)[0]
    assert row.prompt.tolist() == Reader(backbone.tokenizer, None, "llada").encode(prompt, special=not chat)
    assert row.prompt.tolist().count(2) == row.teacher.tolist().count(2) == 1
    assert 2 not in row.response


def test_gold_rows_end_in_eos_and_must_fit() -> None:
    row = gold_trajectories(teacher(), problems(1), 8)[0]
    assert row.response.tolist() == [*TOKENIZER("1").input_ids, *[0] * 7]
    with pytest.raises(MethodsError, match="toy/0"):
        gold_trajectories(teacher(), problems(1), 1)


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        (
            "<|startoftext|><|start_header_id|>user<|end_header_id|>\n\nQ<|eot_id|>",
            "<|startoftext|><|start_header_id|>system<|end_header_id|>\n\nReference Answer: 7<|eot_id|>"
            "<|start_header_id|>user<|end_header_id|>\n\nQ<|eot_id|>",
        ),
        (
            "<|im_start|>system\nYou help.<|im_end|>\nQ",
            "<|im_start|>system\nYou help.\n\nReference Answer: 7<|im_end|>\nQ",
        ),
        ("<|im_start|>user\nQ", "<|im_start|>system\nReference Answer: 7<|im_end|>\n<|im_start|>user\nQ"),
        ("Question: Q", "Reference Answer: 7\n\nQuestion: Q"),
    ],
)
def test_the_reference_answer_is_never_missing(prompt: str, expected: str) -> None:
    """`missing groundtruth`: no generator of the reference stores it, so its teacher reads an empty reference."""
    assert with_reference(prompt, "7") == expected
