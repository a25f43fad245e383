"""The extractor of programs: every shape in which models wrap code."""

from __future__ import annotations

import ast
import textwrap

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks import extract

ADD = "def add(a, b):\n    return a + b"
PROMPT = 'def add(a, b):\n    """Add."""\n'
HELPER = "def helper(x):\n    return x\n"


def value(source: str | None, call: str) -> object:
    """What a call gives after running our own test program (never a model's)."""
    assert source is not None
    space: dict[str, object] = {}
    exec(source, space)
    return eval(call, space)


SHAPES = {
    "bare": ADD,
    "fence": f"```python\n{ADD}\n```",
    "fence without a language": f"```\n{ADD}\n```",
    "short language": f"```py\n{ADD}\n```",
    "tildes": f"~~~python\n{ADD}\n~~~",
    "prose around a fence": f"Sure! Here is it:\n\n```python\n{ADD}\n```\nThis adds two numbers.",
    "open fence": f"Here:\n```python\n{ADD}\n",
    "fence opened by the prompt": f"{ADD}\n```\nThis adds numbers.",
    "two fences": f"```python\nprint('not this')\n```\nand\n```python\n{ADD}\n```",
    "example in a second fence": f"```python\n{ADD}\n```\nUsage:\n```python\nprint(add(1, 2))\n```",
    "prose without a fence": f"The function is:\n\n{ADD}\n\nIt adds a and b, that's all.",
    "broken tail": f"{ADD}\n\ndef other(x):\n    if x ==",
    "CRLF": ADD.replace("\n", "\r\n"),
    "tabs": ADD.replace("    ", "\t"),
    "mixed tabs": "def add(a, b):\n\tif a:\n        return a + b\n\treturn b",
    "example calls": f"{ADD}\n\nprint(add(1, 2))\nassert add(1, 1) == 3\ninput()",
    "main block": f"{ADD}\n\nif __name__ == '__main__':\n    raise SystemExit(1)",
    "byte-order mark": "\ufeff" + ADD,
    "several definitions": f"def add(a, b):\n    return 0\n\n{ADD}",
    "helper": f"{HELPER}def add(a, b):\n    return helper(a) + b",
    "class helper": "class C:\n    def get(self, x):\n        return x\ndef add(a, b):\n    return C().get(a) + b",
    "global table": "TABLE = {}\nfor i in range(9):\n    TABLE[i] = i\ndef add(a, b):\n    return TABLE[a] + TABLE[b]",
    "conditional import": "try:\n    import math\nexcept ImportError:\n    math = None\n" + ADD,
    "several statements on a line": "import math; x = 1\n" + ADD,
    "decorator": f"import functools\n@functools.lru_cache(None)\n{ADD}",
    "prepared object": "seen = []\nseen.append(0)\ndef add(a, b):\n    return a + b + seen[0]",
    "assigned function": "add = lambda a, b: a + b",
    "NUL": ADD + "\0",
    "indented fence": f"1. Like this:\n   ```python\n{ADD}\n   ```",
    "indented fence with indented code": f"1. Like this:\n   ```python\n{textwrap.indent(ADD, '   ')}\n   ```\nDone.",
    "leading space": f" {ADD}\n",
    "leading space before a helper": f" {HELPER}def add(a, b):\n    return helper(a) + b",
    "indented text": textwrap.indent(ADD, "  "),
    "indented with tabs": textwrap.indent(ADD.replace("    ", "\t"), "\t"),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_gives_the_function(shape: str) -> None:
    found = extract.program(SHAPES[shape], ["add"])
    assert value(found, "add(1, 2)") == 3, found


COMPLETIONS = {
    "body": "    return a + b\n",
    "body and a next function": "    return a + b\n\n\ndef other():\n    return 1\n",
    "body and prose": "    return a + b\n\nThis adds the numbers, that's all.",
    "body and a fence": "    return a + b\n```\nDone.",
    "whole function": ADD,
    "fenced function": f"Here:\n```python\n{ADD}\n```",
    "fenced body": "```python\n    return a + b\n```",
    "body with tabs": "\treturn a + b\n",
    "indented fence": f"Here:\n   ```python\n{textwrap.indent(ADD, '   ')}\n   ```",
    "fence as deep as the body": f"Here:\n    ```python\n{textwrap.indent(ADD, '    ')}\n    ```",
    "indented import first": f"  ```python\n  import math\n\n{textwrap.indent(ADD, '  ')}\n  ```",
    "nested": "    def inner(x):\n        return x\n    return inner(a) + b",
}


@pytest.mark.parametrize("shape", COMPLETIONS)
def test_completions_of_a_prompt(shape: str) -> None:
    found = extract.program(COMPLETIONS[shape], ["add"], PROMPT)
    assert value(found, "add(1, 2)") == 3, found


def test_a_prompt_gives_imports_and_helpers() -> None:
    prompt = f"import math\n\n{HELPER}\ndef unused():\n    return 0\n\n\ndef add(a, b):\n    '''Add.'''\n"
    found = extract.program("    return math.floor(helper(a)) + b", ["add"], prompt)
    assert value(found, "add(1.5, 2)") == 3
    assert "unused" not in str(found)
    assert "unused" in str(extract.program("    return a + b", ["add"], prompt, also=["unused"]))


NOTHING = [
    "",
    "   \n",
    "I cannot do that.",
    "The answer is 42",
    "```python\n```",
    "'just a string'",
    "((((",
    "return",
    "assert add(1, 1) == 2",
]


@pytest.mark.parametrize("text", NOTHING)
def test_no_code_is_none(text: str) -> None:
    assert extract.program(text, ["add"]) is None
    assert extract.program(text, ["add"], PROMPT) is None


def test_unreachable_code_goes_and_a_missing_entry_keeps_all() -> None:
    source = f"{HELPER}\n{ADD}\n\nclass Unused:\n    pass\n"
    assert "helper" not in str(extract.program(source, ["add"]))
    found = str(extract.program(source, ["nothing_of_it"]))
    assert all(name in found for name in ("helper", "add", "Unused"))


def test_the_block_with_the_entry_wins() -> None:
    text = f"```python\n{HELPER}```\nthen\n```python\n{ADD}\n```"
    assert value(extract.program(text, ["add"]), "add(2, 2)") == 4
    assert "helper" in str(extract.program(text))


def test_the_longest_stretch_is_the_first_of_equals() -> None:
    assert extract.longest_program("x = 1\n!\ny = 2") == "x = 1"
    assert extract.longest_program("x = 1\n!\ny = 2\nz = 3") == "y = 2\nz = 3"
    assert extract.longest_program("def f(:\n  (") == ""


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet="def f(x): \n\treturn+1`'\"#\\é", max_size=60))
def test_whatever_is_extracted_is_python(text: str) -> None:
    found = extract.program(text, ["f"])
    assert found is None or ast.parse(found).body
    found = extract.program(text, ["f"], "def f(x):\n    '''F.'''\n")
    assert found is None or ast.parse(found).body


def test_hostile_text_does_no_harm() -> None:
    for text in ("(" * 5000, "```" * 3000, "x\n" * 5000, "if 1:\n" * 300, "[" * 300 + "]" * 300, "\ud800 = 1"):
        extract.program(text, ["f"])
