"""What the mini models are pretrained on: drills, what a question decides in its answer, one digit per token."""

from __future__ import annotations

import random

from harness.pretraining import build_tokenizer, decided, drawer
from tasks.mini import TASKS, drill


def test_what_the_question_decides() -> None:
    question = "Question: Tom has 4 apples. Tom finds 2 more. How many apples does Tom have now?\nAnswer:"
    answer = " Now there are 4 + 2 = 6 apples.\n#### 6"

    def chosen(seed: int, *, results: bool) -> list[str]:
        return [answer[a:b] for a, b in decided(question, answer, random.Random(seed), results=results)]

    assert chosen(0, results=True) == ["6", "6"]
    found = {tuple(chosen(seed, results=False)) for seed in range(60)}
    assert ("6", "6") in found
    assert ("4", "2", "6", "apples", "6") in found
    assert all(set(words) <= {"4", "2", "6", "apples"} for words in found), "no word of the wording's own"
    assert all(found), "something is always hidden"


def test_drills_are_right_and_drawn_examples_line_up() -> None:
    rng = random.Random(0)
    for _ in range(300):
        left, value = drill.equation(rng)
        assert eval(left.replace("\\cdot", "*")) == value
        assert -9 < value < 100
    tokenizer = build_tokenizer(768)
    draw = drawer(tokenizer, 0.2)
    examples = [draw(rng) for _ in range(60)]
    assert {example.drill for example in examples} == {True, False}
    for example in examples:
        assert len(example.decided) == len(example.answer)
        assert any(example.decided) or not example.drill
    assert not any(any(example.decided) for example in (drawer(tokenizer, 0.2, masks=False)(rng) for _ in range(20)))


def test_numbers_are_one_digit_a_token_with_the_space_before_them() -> None:
    tokenizer = build_tokenizer(768)
    pieces = [tokenizer.decode([i]) for i in tokenizer(" 12 + 345 = 357").input_ids]
    assert pieces == [" 1", "2", " +", " 3", "4", "5", " =", " 3", "5", "7"]
    for task in TASKS.values():
        problem = next(task.stream("test"))
        text = problem.prompt + problem.reference
        assert tokenizer.decode(tokenizer(text).input_ids) == text
