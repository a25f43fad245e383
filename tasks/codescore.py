"""Scores of code tasks: lm-eval's filters and `process_results`, with our extractor and our sandbox behind them."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Callable, Sequence
from typing import Any

from tasks import extract, sandbox
from tasks.reachable import parse

Doc = dict[str, Any]
Filter = Callable[[list[list[str]], list[Doc]], list[list[str]]]
CPU_SECONDS, MEMORY_MB = 10, 1024
TIMEOUT = 40.0  # wall clock: the processor limit decides, so that a busy machine does not change scores


def _filter(build: Callable[[str, Doc], str]) -> Filter:
    """An lm-eval filter that builds one program per response."""

    def apply(responses: list[list[str]], docs: list[Doc]) -> list[list[str]]:
        return [build(next(iter(texts)), doc) for texts, doc in zip(responses, docs, strict=True)]  # type: ignore[misc]

    return apply


def _before_fence(text: str) -> str:
    return text.partition("```")[0]


def entries_of(doc: Doc) -> list[str]:
    """The functions under test: the entry point, or the names that the asserts use and Python does not define."""
    return [doc["entry_point"]] if "entry_point" in doc else used_names(_base_test(doc))


def used_names(test: str) -> list[str]:
    """The names a test uses that are not Python's own (all it calls, if there are no others: MBPP tests a `sum`)."""
    tree = parse(test)
    if tree is None:
        return []
    called = {node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    asserted = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    own = {name for name in called | asserted if not hasattr(builtins, name)}
    return sorted(own or called)


def test_of(doc: Doc) -> str:
    """The test of a document: HumanEval's `check`, MBPP+'s imports and suite, or MBPP's imports, setup and asserts.

    A row with `test` is judged by it; `tasks.data.read` leaves the field out where the task asks for base tests.
    """
    if "test" not in doc:
        return _base_test(doc)
    return "\n".join([*map(extract.normalise, doc.get("test_imports") or []), str(doc["test"])])


def _base_test(doc: Doc) -> str:
    parts = [*(doc.get("test_imports") or []), doc.get("test_setup_code") or "", *doc["test_list"]]
    return "\n".join(extract.normalise(part) for part in parts if part)


def _sanitised_completion(text: str, doc: Doc) -> str:
    helpers = used_names(test_of(doc))  # HumanEval/50 tests a function with another one of the prompt
    return extract.program(text, [doc["entry_point"]], doc["prompt"], helpers) or ""


strict_completion = _filter(lambda text, doc: doc["prompt"] + text)
strict_instruct = _filter(lambda text, doc: doc["prompt"] + _before_fence(text))
sanitised_completion = _filter(_sanitised_completion)
strict_program = _filter(lambda text, doc: text)
strict_program_instruct = _filter(lambda text, doc: _before_fence(text))
sanitised_program = _filter(lambda text, doc: extract.program(text, entries_of(doc)) or "")


_known: dict[tuple[str, str, str | None], sandbox.Verdict] = {}


def verdict(doc: Doc, program: str) -> sandbox.Verdict:
    """The sandbox's verdict on a program for a document; programs that differ in layout only are run once."""
    test, entry = test_of(doc), doc.get("entry_point")
    key = (_meaning(program), test, entry)
    if key not in _known:
        limits = {"timeout": TIMEOUT, "memory_mb": MEMORY_MB, "cpu_seconds": CPU_SECONDS}
        _known[key] = sandbox.check(program, test, entry, **limits)  # type: ignore[arg-type]
    return _known[key]


def _meaning(program: str) -> str:
    tree = parse(program)
    return program if tree is None else ast.dump(tree)


def process_results(doc: Doc, results: Sequence[str]) -> dict[str, float]:
    """lm-eval's hook: pass@1 of one filtered response (a whole program)."""
    return {"pass@1": float(verdict(doc, results[0]).passed)}


def judged(doc: Doc, program: str) -> tuple[str | None, str, str]:
    """(extracted program, sandbox outcome, detail) of a filtered response."""
    found = verdict(doc, program)
    return program or None, found.outcome, found.detail
