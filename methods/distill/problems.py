"""Training problems as text, and as trajectories: without a response, or with the gold answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from methods.backbones import Backbone
from methods.distill.trajectory import Trajectory, in_order, ints
from methods.errors import MethodsError


@dataclass(frozen=True)
class Problem:
    """A training problem as text. prompt: what the student will see. teacher: the prompt with the reference answer.

    solution: the gold answer, for training on gold responses. doc: whatever the scorer needs. chat: a chat template
    has written the special tokens already, so that the tokenizer adds none of its own (a second BOS).
    """

    id: str
    task: str
    prompt: str
    teacher: str
    solution: str
    doc: Any = None
    chat: bool = False


def undecoded(backbone: Backbone, problem: Problem, decode_from: str) -> Trajectory:
    """The problem's prompts as ids, without a response yet. decode_from: "plain" or "privileged"."""
    texts, special = (problem.prompt, problem.teacher), not problem.chat  # as the runner encodes its prompts
    plain, privileged = (ints(backbone.tokenizer(text, add_special_tokens=special).input_ids) for text in texts)
    return Trajectory(
        id=problem.id,
        task=problem.task,
        prompt=plain,
        teacher=privileged,
        decoded=privileged if decode_from == "privileged" else plain,
        response=ints([]),
        reveal=ints([]),
        correct=False,
    )


def gold_trajectories(backbone: Backbone, problems: Sequence[Problem], gen_length: int) -> list[Trajectory]:
    """Rows of the problems' gold answers, EOS to `gen_length`; a gold answer that does not fit is an error."""
    made = []
    for problem in problems:
        row = undecoded(backbone, problem, "plain")
        answer = list(backbone.tokenizer(problem.solution, add_special_tokens=False).input_ids)
        if len(answer) >= gen_length:
            raise MethodsError(f"The gold answer of {problem.id} has {len(answer)} tokens; gen_length is {gen_length}.")
        response = ints(answer + [backbone.special.eos[0]] * (gen_length - len(answer)))
        made.append(replace(row, response=response, reveal=in_order(response), correct=True, text=problem.solution))
    return made
