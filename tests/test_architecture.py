"""docs/architecture.md names files and functions; each of them exists, and the reading list stays short."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
# a file, and a function, class or Class.method of it
NAMED = re.compile(r"`((?:harness|methods|tasks|reports|tests)(?:/\w+)+\.py)(?::([\w.]+))?`")
MOST_LINES = 1500  # of the files that one reads to follow TAD-Speed


@cache
def defined(file: Path) -> set[str]:
    """Names of functions and classes of a file, methods as Class.method."""
    found = set()
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            found |= {f"{node.name}.{inner.name}" for inner in node.body if isinstance(inner, ast.FunctionDef)}
    return found


def wrong(page: str) -> list[str]:
    """What a page names that is not there."""
    return [
        f"{path}:{name}" if name else path
        for path, name in NAMED.findall(page)
        if not (ROOT / path).is_file() or (name and name not in defined(ROOT / path))
    ]


def reading_list() -> list[Path]:
    """The numbered files of the section on TAD-Speed."""
    section = PAGE.split("### TAD-Speed", 1)[1].split("\n## ", 1)[0]
    return [ROOT / path for path in re.findall(r"^\d\. `([\w/]+\.py)", section, re.MULTILINE)]


def test_every_file_and_function_that_the_page_names_exists() -> None:
    assert len(NAMED.findall(PAGE)) > 50
    assert wrong(PAGE) == []


def test_what_is_not_there_is_found() -> None:
    page = "`harness/cli.py:main` `harness/nowhere.py` `harness/cli.py:nothing` `methods/method.py:Method.build`"
    assert wrong(page) == ["harness/nowhere.py", "harness/cli.py:nothing"]


def test_tad_speed_is_read_in_eight_files() -> None:
    files = reading_list()
    assert len(files) == 8
    assert sum(len(file.read_text(encoding="utf-8").splitlines()) for file in files) <= MOST_LINES


def test_the_reading_list_has_every_policy_that_tad_speed_names() -> None:
    """Each class that `build` imports, except the cache that stores nothing, is defined in a file of the list."""
    tree = ast.parse((ROOT / "methods" / "catalog" / "tad.py").read_text(encoding="utf-8"))
    build = next(node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "build")
    names = {alias.name for node in build.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    found = set().union(*map(defined, reading_list()))
    assert names - found == {"NoCache"}
