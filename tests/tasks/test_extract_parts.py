"""The parts of the extractor one by one: what each keeps, to the letter."""

from __future__ import annotations

import ast
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tasks import extract
from tasks.reachable import parse
from tests.tasks.test_extract import ADD, HELPER, PROMPT, value


def test_line_ends_and_marks() -> None:
    assert extract.normalise("\ufeffX = 1\r\ny = 2\rz = 3\0") == "X = 1\ny = 2\nz = 3"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("no fence", []),
        ("```\nx = 1\n```", ["x = 1\n"]),
        ("Prose.\n```\nx = 1\n```\nmore", ["x = 1\n"]),
        ("```\na\n```\nb\n```py\nc\n```\nd\n~~~\ne\n~~~\nf", ["a\n", "c\n", "e\n"]),
        ("```\na\n```\nb\n```\nc", ["a\n", "c"]),
        ("    return 1\n```\nDone.", ["    return 1\n"]),
        ("\treturn 1\n```\nDone.", ["\treturn 1\n"]),
        ("\n    return 1\n```\nDone.", ["\n    return 1\n"]),
        ("x = 1\n```\nDone.", ["x = 1\n"]),
        ("x = 1\n```\nor\n```\ny = 2\n```", ["x = 1\n", "y = 2\n"]),
        ("x = 1\n```python\ny = 2\n```", ["y = 2\n"]),  # a fence with a language opens
        ("  \n```\nx = 1\n```", ["x = 1\n"]),
    ],
)
def test_the_blocks_of_a_text(text: str, found: list[str]) -> None:
    assert extract.blocks(text) == found


@pytest.mark.parametrize(
    ("source", "longest"),
    [
        ("\n# note\nx = 1\n", "\n# note\nx = 1\n"),  # Python as a whole stays as it is
        ("!\nX = 1", "X = 1"),
        ("a = 1\nb = 2\n!\nc = 3\n!\n!", "a = 1\nb = 2"),
        ("x = 1\n!\ny = 2\n!", "x = 1"),
        ("x = 1\n\n!", "x = 1"),
        ("x = 1\n\ny = 2\n!", "x = 1\n\ny = 2"),
        ("\n".join(["x = 1"] * (extract.LINES + 5)), "\n".join(["x = 1"] * extract.LINES)),
    ],
)
def test_the_longest_stretch(source: str, longest: str) -> None:
    assert extract.longest_program(source) == longest


WRAP = "def first(f):\n    return lambda g: f\n"
GOES = {
    "an import that nothing uses": (f"import not_installed\n{ADD}", "not_installed"),
    "what only an unneeded function uses": (
        f"import not_installed\ndef fetch():\n    return not_installed.get()\n{ADD}",
        "not_installed",
    ),
    "a return outside a function": (f"{ADD}\nreturn 5", "return 5"),
    "an overridden definition": (f"def add(a, b):\n    return 0\n{ADD}", "return 0"),
    "what only mentions a needed name": (f"{ADD}\nunrelated = add(1, 2)", "unrelated"),
    "a change of something else": (f"seen = []\nseen.append(1)\n{ADD}", "append"),
    "a loop of example calls": (f"{ADD}\nfor i in range(3):\n    print(add(i, i))", "print"),
    "a printed table": ("T = [0]\nprint(T)\ndef add(a, b):\n    return a + b + T[0]", "print"),
    "an example that uses a table": ("T = [0]\ndef add(a, b):\n    return a + b + T[0]\nadd(5, 6)", "add(5, 6)"),
    "a loop that asks a user": (
        "T = [0]\nwhile True:\n    print(T[int(input())])\ndef add(a, b):\n    return a + b + T[0]",
        "while",
    ),
    "a main function that asks a user": (
        "T = [0]\ndef main():\n    print(T[int(input())])\nmain()\ndef add(a, b):\n    return a + b + T[0]",
        "main",
    ),
    "an example whose variable has a parameter's name": (f"{ADD}\na = int(input('a: '))\nprint(add(a, a))", "input"),
    "a variable named as one of a comprehension": (
        "n = int(input())\ndef add(a, b):\n    return sum(n for n in (a, b))",
        "input",
    ),
    "all of a module of no use": (f"from not_installed import *\n{ADD}", "not_installed"),
    "a change of what does not exist": (f"a.append(1)\n{ADD}", "append"),
    "what only the main block needs": (
        f"def extra():\n    return 0\n{ADD}\nif __name__ == '__main__':\n    add = extra",
        "extra",
    ),
    **{
        f"a call of {name}": (f"import {name}\n{name}.main()\ndef add(a, b):\n    {name}\n    return a + b", "main()")
        for name in ("doctest", "unittest", "sys")
    },
}
STAYS = {
    "an import": ("import math\ndef add(a, b):\n    return math.floor(a) + b", "import math"),
    "the recursion limit": (f"import sys\nsys.setrecursionlimit(5000)\n{ADD}", "sys.setrecursionlimit(5000)"),
    "a name of a double assignment": (
        "TABLE = [0]\nx = TABLE[0] = 5\ndef add(a, b):\n    return a + b + x - 5",
        "x = TABLE[0] = 5",
    ),
    "a definition under a condition": (
        f"if True:\n    {HELPER.strip().replace(chr(10), chr(10) + '    ')}\ndef add(a, b):\n    return helper(a) + b",
        "def helper",
    ),
    "what its decorated successor needs": (f"{ADD}\n{WRAP}@first(add)\ndef add(a, b):\n    return 0", "@first(add)"),
    "a loop that fills a list": (
        f"SEEN = []\n{HELPER}for i in range(3):\n    SEEN.append(helper(i))\n{ADD} + SEEN[0]",
        "SEEN.append(helper(i))",
    ),
    "a call that changes its argument": (
        "import heapq\nh = [3, 0]\nheapq.heapify(h)\ndef add(a, b):\n    return a + b + h[0]",
        "heapq.heapify(h)",
    ),
    "a call that fills a table": (
        "T = {}\ndef build(n):\n    T[0] = n\nZERO = 0\nbuild(ZERO)\ndef add(a, b):\n    return a + b + T[0]",
        "build(ZERO)",
    ),
    "a loop of calls that fill a table": (
        "T = {}\ndef put(n):\n    T[n] = n\nfor i in range(2):\n    put(i)\ndef add(a, b):\n    return a + b + T[0]",
        "    put(i)",
    ),
    "a variable that a function of a call makes": (
        "def setup():\n    global K\n    K = 0\nsetup()\ndef add(a, b):\n    return a + b + K",
        "setup()",
    ),
    "a variable that a nested function reads": (
        "K = 0\ndef add(a, b):\n    def inner(x):\n        return x + K\n    return inner(a) + b",
        "K = 0",
    ),
    "a default, of the same name as its parameter": ("a = 0\ndef add(x, b, a=a):\n    return x + b + a", "a = 0"),
    "a variable that a class body reads": (
        "k = 0\nclass C:\n    k = k\ndef add(a, b):\n    return a + b + C.k",
        "k = 0",
    ),
    "all of a module of Python's own": ("from math import *\ndef add(a, b):\n    return floor(a) + b", "math"),
    "a comment at the end of a line": (f"ONE = 1  # one\n{ADD} + ONE - 1", "ONE = 1  # one"),
}


@pytest.mark.parametrize("what", GOES)
def test_what_the_entry_does_not_need_goes(what: str) -> None:
    source, part = GOES[what]
    found = extract.reachable(source, ["add"])
    assert part not in found
    assert value(found, "add(1, 2)") == 3


@pytest.mark.parametrize("what", STAYS)
def test_what_the_entry_needs_stays(what: str) -> None:
    source, part = STAYS[what]
    found = extract.reachable(source, ["add"])
    assert part in found
    assert value(found, "add(1, 2)") == 3


def test_statements_of_one_line_are_taken_apart() -> None:
    assert extract.reachable("a = 1; b = 2", []) == "a = 1\nb = 2"
    assert extract.reachable("a = 1; b = 2", ["b"]) == "b = 2"
    assert extract.reachable("a = 1  # one; two\nb = (1,\n  ';')", []) == "a = 1\nb = (1,\n  ';')"


def test_no_python_is_nothing() -> None:
    assert extract.reachable("def (", []) == ""


def test_every_entry_counts_however_often_it_is_reached() -> None:
    source = "def one():\n    return 1\ndef shared():\n    return 2\ndef add():\n    return shared()"
    assert extract.reachable(source, ["one", "shared", "add"]) == source


def test_an_imported_entry_is_defined() -> None:
    both = "```\nx = 1\n```\nor\n```\n{}\n```"
    assert extract.program(both.format("from operator import add"), ["add"]) == "from operator import add"
    assert extract.program(both.format("from operator import mul as add"), ["add"]) == "from operator import mul as add"
    assert extract.program(both.format("import os.path"), ["os"]) == "import os.path"


@pytest.mark.parametrize(
    ("text", "prompt", "sources"),
    [
        ("x = 1", "", ["x = 1"]),
        ("    return 1\n", "def f():\n", ["def f():\n    return 1\n"]),
        ("    return 1\n", "def f():", ["def f():\n    return 1\n"]),
        ("\n    return 1", "def f():", ["def f():\n    return 1"]),
        ("\treturn 1", "def f():\n", ["def f():\n\treturn 1", "def f():\n    return 1"]),
    ],
)
def test_how_a_text_goes_on_from_its_prompt(text: str, prompt: str, sources: list[str]) -> None:
    assert list(extract.candidates(text, prompt)) == sources


def test_a_prompt_without_a_last_line_end() -> None:
    found = extract.program("    return a + b", ["add"], PROMPT.rstrip("\n"))
    assert value(found, "add(1, 2)") == 3


def test_expressions_alone_are_no_program() -> None:
    assert extract.program("sys.setrecursionlimit(5000)") is None


def test_no_two_threads_parse_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """CPython can raise SystemError otherwise, and answers are scored in threads."""
    inside: list[int] = []
    seen: list[int] = []

    def slow(source: str) -> ast.Module:
        inside.append(1)
        seen.append(len(inside))
        time.sleep(0.01)
        inside.pop()
        return ast.Module(body=[], type_ignores=[])

    monkeypatch.setattr(ast, "parse", slow)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(parse, ["x = 1"] * 8))
    assert seen == [1] * 8
