"""Each promise of docs/sandbox.md names a test, and the test exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

HERE = Path(__file__).parent
PAGE = (HERE.parents[1] / "docs" / "sandbox.md").read_text(encoding="utf-8")
PROMISES = ("Outcomes", "Two processes", "Walls")


def named(text: str) -> set[str]:
    return set(re.findall(r"`(test_\w+)`", text))


def section(title: str) -> str:
    return PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]


def test_every_test_that_the_page_names_exists() -> None:
    trees = [ast.parse(file.read_text(encoding="utf-8")) for file in HERE.parent.rglob("test_*.py")]
    exist = {node.name for tree in trees for node in tree.body if isinstance(node, ast.FunctionDef)}
    assert len(named(PAGE)) > 15
    assert named(PAGE) <= exist


def test_every_section_and_point_that_promises_something_names_a_test() -> None:
    for title in PROMISES:
        assert named(section(title)), title
    for point in re.split(r"\n(?=- )", section("Two processes").split("\nBoth processes")[0])[1:]:
        assert named(point), point
    promised = [part for part in section("Walls").split("\n\n") if part.startswith(("**The end", "In all", "Tests:"))]
    assert len(promised) == 3
    assert all(named(part) for part in promised)
