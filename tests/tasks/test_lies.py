"""Answers that carry more than was asked, against every form of test."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tasks import sandbox
from tasks.sandbox.confine import available
from tests.tasks.forms import FORMS
from tests.tasks.lies import PROTOCOL

STRONGEST = available()[0].name if available() else "none"
PAIRS = [(lie, form) for lie in PROTOCOL for form in FORMS]


def verdicts(pairs: list[tuple[str, str]], walls: str) -> dict[tuple[str, str], sandbox.Verdict]:
    def one(pair: tuple[str, str]) -> sandbox.Verdict:
        lie, (test, entry) = PROTOCOL[pair[0]], FORMS[pair[1]]
        return sandbox.check(lie, test, entry, timeout=20, confinement=walls, allow_unconfined=True)

    with ThreadPoolExecutor(2) as pool:
        return dict(zip(pairs, pool.map(one, pairs), strict=True))


def judge(pairs: list[tuple[str, str]], walls: str) -> None:
    said = verdicts(pairs, walls)
    passed = [pair for pair, verdict in said.items() if verdict.outcome == "passed"]
    print(f"{walls}: {len(said)} pairs of a lie and a form of test, {len(passed)} passed")
    assert passed == []
    for verdict in said.values():
        verdict.detail.encode("utf-8")
        assert verdict.detail.isprintable()
        assert 0 < len(verdict.detail) < 500


@pytest.mark.parametrize("form", FORMS)
def test_every_form_passes_the_right_program_and_fails_a_wrong_one(form: str) -> None:
    test, entry = FORMS[form]
    for body, outcome in (("x * x", "passed"), ("5", "failed")):
        verdict = sandbox.check(f"def f(x):\n    return {body}", test, entry, timeout=60, allow_unconfined=True)
        assert verdict.outcome == outcome, verdict


def test_no_lie_passes_any_of_a_sixth_of_the_pairs() -> None:
    judge(PAIRS[::6] if len(FORMS) % 6 else PAIRS[::7], STRONGEST)


@pytest.mark.slow
@pytest.mark.parametrize("walls", [one.name for one in available()])
def test_no_lie_passes_any_form(walls: str) -> None:
    judge(PAIRS, walls)
