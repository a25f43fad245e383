"""Gives the mini tasks' text to the pretraining: tokenizer, worked answers, privileged prompts, held-out check."""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import UserError
from harness.progress import training_bar
from tasks.mini import TASKS, Problem, drill

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

    from methods.distill.pretrain import PretrainConfig
    from methods.distill.pretrain_data import Draw

TOKENIZER_TEXTS = 8000
# a share of the examples shows a reference answer in the prompt, so that a teacher can read one later (TAD)
PRIVILEGED_SHARE = 0.15
KINDS = ("diffusion", "ar")
# a computed value in a worked answer: the number behind an "=", in the final answer, or named in words
VALUE = re.compile(r"(?:[=#]|\bis|\bby|\bcancel) (\d+)|\{(\d+)\}")
WORD = re.compile(r"[A-Za-z]+|\d+")
# arithmetic in words is learned last, so it is shown most
TASK_WEIGHTS = {"gsm8k": 8, "math": 6, "mbpp": 4, "humaneval": 2}


def draw_problem(rng: random.Random) -> Problem:
    """A training problem of one of the four tasks, by `TASK_WEIGHTS`."""
    task = TASKS[rng.choices(list(TASK_WEIGHTS), list(TASK_WEIGHTS.values()))[0]]
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


def decided(question: str, answer: str, rng: random.Random, *, results: bool) -> list[tuple[int, int]]:
    """Spans of `answer` that follow from `question` whatever the wording: results, or also the words they share.

    results: computed values alone. Otherwise three examples in ten have those, three all shared words and numbers,
    the others some of them.
    """
    values = [match.span(match.lastindex or 0) for match in VALUE.finditer(answer)]
    kind, share = rng.random(), rng.random()
    if results or kind < 0.3:
        return values
    known = set(WORD.findall(question))
    words = [match.span() for match in WORD.finditer(answer) if match[0].isdigit() or match[0] in known]
    if kind < 0.6:
        return words
    return [span for span in words if rng.random() < share] or values


def drawer(tokenizer: PreTrainedTokenizerFast, drill_share: float, masks: bool = True) -> Draw:
    """The function the pretraining draws examples with: token ids of a prompt and of one of its worked answers.

    A share of the examples are arithmetic drills. masks: mark the tokens that the question decides, for diffusion.
    """
    from methods.distill.pretrain_data import Example
    from methods.distill.prompts import with_reference

    def draw(rng: random.Random) -> Example:
        drilled = rng.random() < drill_share
        if drilled:
            question, answer = drill.example(rng)
        else:
            problem = draw_problem(rng)
            question, answer = problem.prompt, problem.answers(rng)
        prompt = question
        if not drilled and rng.random() < PRIVILEGED_SHARE:
            prompt = with_reference(question, problem.reference)
        encoded = tokenizer(answer, return_offsets_mapping=True)
        spans = decided(question, answer, rng, results=drilled) if masks else []
        hidden = [any(a < end and start < b for a, b in spans) for start, end in encoded.offset_mapping]
        return Example(tokenizer(prompt).input_ids, encoded.input_ids, hidden, drilled)

    return draw


def pretrain_mini(
    kind: str,
    out: Path,
    *,
    steps: int | None = None,
    seed: int = 0,
    init: Path | None = None,
    threads: int = 0,
    progress: bool = True,
) -> dict[str, Any]:
    """Pretrain one mini model in `out` (continuing what is there), export `out/checkpoint`, return its manifest.

    init: a mini checkpoint of the same shape to start from; raises UserError for one of another shape.
    """
    import torch

    from methods.backbones import load
    from methods.distill.export import export_mini, manifest_of
    from methods.distill.pretrain import PretrainConfig, pretrain

    if threads:
        torch.set_num_threads(threads)
    start = load(init, device="cpu", dtype="float32") if init else None
    config = PretrainConfig(kind=kind, seed=seed, init=start.fingerprint if start else "")
    weights = start.model.state_dict() if start else None
    if weights is not None:
        _check_shape(weights, config, init)
    config = config if steps is None else replace(config, steps=steps)
    tokenizer = build_tokenizer(config.vocab)
    special = {"eos": tokenizer.eos_token_id, "mask": tokenizer.mask_token_id, "pad": tokenizer.pad_token_id}
    draw = drawer(tokenizer, config.drill_share, masks=kind == "diffusion")
    with training_bar(config.steps, progress) as on_step:
        model, record = pretrain(config, draw, special, out, weights=weights, on_step=on_step)
    manifest = manifest_of(model, record) | {
        "command": f"harness pretrain --suite mini --kind {kind} --steps {config.steps} --seed {seed}"
        + (f" --init {init}" if init else ""),
        "data": {"tasks": TASK_WEIGHTS, "fingerprint": data_fingerprint(seed), "privileged_share": PRIVILEGED_SHARE},
    }
    export_mini(model, tokenizer, special, kind, out / "checkpoint", manifest)
    return manifest


def _check_shape(weights: Mapping[str, Any], config: PretrainConfig, init: Path | None) -> None:
    import torch

    from methods.distill.pretrain import new_model

    with torch.device("meta"):
        wanted = {name: tuple(value.shape) for name, value in new_model(config, 0, 0).state_dict().items()}
    found = {name: tuple(value.shape) for name, value in weights.items()}
    odd = next((name for name in {**wanted, **found} if wanted.get(name) != found.get(name)), None)
    if odd is not None:
        sizes = f"{found.get(odd, 'missing')}, not {wanted.get(odd, 'missing')}"
        raise UserError(f"--init {init} is no mini checkpoint of this shape: {odd} is {sizes}.")
