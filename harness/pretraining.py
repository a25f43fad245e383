"""Hands the mini tasks' text to the pretraining: tokenizer, worked answers, privileged prompts, held-out check."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.mini import TASKS, Problem

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

TOKENIZER_TEXTS = 8000
# a share of the examples shows a reference answer in the prompt, so that a teacher can read one later (TAD)
PRIVILEGED_SHARE = 0.15


def privileged(prompt: str, reference: str) -> str:
    """The teacher's prompt: the reference answer, then the plain prompt (TAD's system turn, in mini form)."""
    return f"Reference Answer: {reference}\n\n{prompt}"


def draw_problem(rng: random.Random) -> Problem:
    """A training problem of one of the four tasks, all equally likely."""
    task = TASKS[rng.choice(sorted(TASKS))]
    while True:
        problem = task.make(rng)
        if problem.split == "train":
            return problem


def texts(seed: int) -> Iterator[tuple[str, str]]:
    """Endless (prompt, answer) pairs of the training split."""
    rng = random.Random(f"texts/{seed}")
    while True:
        problem = draw_problem(rng)
        yield problem.prompt, problem.answers(rng)


def build_tokenizer(vocab: int, seed: int = 0) -> PreTrainedTokenizerFast:
    """The mini tokenizer, trained on the first texts of the training stream."""
    from methods.distill.tokenizer import train_tokenizer

    stream = texts(seed)
    pairs = (next(stream) for _ in range(TOKENIZER_TEXTS))
    return train_tokenizer((prompt + answer for prompt, answer in pairs), vocab)


def data_fingerprint(seed: int, n: int = 2000) -> str:
    """A hash of the first training texts: the same generators and seed give the same one."""
    stream, digest = texts(seed), hashlib.sha256()
    for _ in range(n):
        digest.update("\0".join(next(stream)).encode())
    return digest.hexdigest()[:16]


def drawer(tokenizer: PreTrainedTokenizerFast) -> Callable[[random.Random], tuple[list[int], list[int]]]:
    """The function the pretraining draws examples with: token ids of a prompt and of one of its worked answers."""

    def draw(rng: random.Random) -> tuple[list[int], list[int]]:
        problem = draw_problem(rng)
        prompt = problem.prompt
        if rng.random() < PRIVILEGED_SHARE:
            prompt = privileged(prompt, problem.reference)
        return tokenizer(prompt).input_ids, tokenizer(problem.answers(rng)).input_ids

    return draw


def pretrain_mini(kind: str, out: Path, overrides: dict[str, Any], on_step: Callable[..., None]) -> dict[str, Any]:
    """Pretrain one mini model in `out` (resuming what is there); returns the record for the manifest."""
    from methods.distill.pretrain import PretrainConfig, pretrain

    config = PretrainConfig(kind=kind, **overrides)
    tokenizer = build_tokenizer(config.vocab)
    special = {"eos": tokenizer.eos_token_id, "mask": tokenizer.mask_token_id, "pad": tokenizer.pad_token_id}
    model, record = pretrain(config, drawer(tokenizer), special, out, on_step=on_step)
    record["data"] = {"tasks": sorted(TASKS), "fingerprint": data_fingerprint(config.seed)}
    record["privileged_share"] = PRIVILEGED_SHARE
    return {"model": model, "tokenizer": tokenizer, "record": record, "special": special}
