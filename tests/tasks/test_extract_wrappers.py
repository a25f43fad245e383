"""What models write around code, and code that is needed though nothing names it: each keeps every statement."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import tasks
from tasks import codescore, extract, protocols
from tasks.data import Source
from tasks.scoring import score
from tests.tasks.test_extract import value

CODE = "def add(a, b):\n    total = a\n    return total + b"
PROMPT = 'from typing import List\n\n\ndef add(a, b):\n    """Add."""\n'
BODY = "    total = a\n    return total + b"
SHARED = Path(__file__).parents[3] / "shared" / "scoring" / "code.jsonl"

WRAPPERS = {
    "glued fence": "```python\n{}```",
    "glued fence and prose": "Here it is:\n```python\n{}``` It adds two numbers.",
    "glued fence, prose and a second block": "```python\n{}```\nFor example:\n```python\nprint(add(1, 2))\n```",
    "glued tildes": "~~~python\n{}~~~",
    "glued fence without an opening one": "{}```\nThis adds.",
    "tags": "[PYTHON]\n{}[/PYTHON]",
    "tags on lines": "[PYTHON]\n{}\n[/PYTHON]\nDone.",
    "a tag that Python takes for an index": "{}[DONE]",
    "HTML": "<code>{}</code>",
    "HTML on lines": "<pre><code>\n{}\n</code></pre>",
    "ChatML": "{}<|im_end|>",
    "ChatML and another turn": "{}<|im_end|>\n<|im_start|>user\nThanks",
    "Llama": "{}<|eot_id|>",
    "sentence piece": "<s>{}</s>",
    "many ends": "{}<|endoftext|><|endoftext|>",
    "full-width bars": "{}<\uff5cend\u2581of\u2581sentence\uff5c>",
    "prose behind": "{} This function adds two numbers.",
    "lower-case prose behind": "{} which adds the numbers.",
    "prose that could be code": "{} is the result.",
    "another language's comment": "{} // This adds two numbers",
    "prose behind, then more": "{}. It adds.\n\nThat is all.",
    "no-break spaces": None,
    "an invisible space": "\u200b```python\n{}\u200b\n```",
    "code on the line of its fence": "```python\n{}\n```",
}


def wrapped(name: str, code: str) -> str:
    form = WRAPPERS[name]
    return f"```python\n{code}\n```".replace("    ", "\u00a0" * 4) if form is None else form.format(code)


@pytest.mark.parametrize("name", WRAPPERS)
def test_no_statement_is_lost(name: str) -> None:
    assert value(extract.program(wrapped(name, CODE), ["add"]), "add(1, 2)") == 3


@pytest.mark.parametrize("name", WRAPPERS)
@pytest.mark.parametrize("body", [BODY, BODY.strip(), "total = a\nreturn total + b", PROMPT + BODY])
def test_no_statement_of_a_completion_is_lost(name: str, body: str) -> None:
    assert value(extract.program(wrapped(name, body), ["add"], PROMPT), "add(1, 2)") == 3


ONE = "def add(a, b): return a + b"
ON_A_LINE = [
    f"Here is the code: {ONE}",
    f"Use `{ONE}`.",
    "> ```python\n> def add(a, b):\n>     return a + b\n> ```",
    "```python\n>>> def add(a, b):\n...     return a + b\n...\n>>> add(1, 2)\n3\n```",
]


@pytest.mark.parametrize("text", ON_A_LINE)
def test_code_in_a_line_of_prose_a_quotation_and_a_session(text: str) -> None:
    assert value(extract.program(text, ["add"]), "add(1, 2)") == 3


KEPT = {
    "a registry": """\
OPS = {}
def op(name):
    def keep(f):
        OPS[name] = f
        return f
    return keep
@op('s')
def plus(a, b):
    return a + b
def add(a, b):
    return OPS['s'](a, b)
""",
    "a registry behind a helper": """\
OPS = []
def put(f):
    OPS.append(f)
def op(f):
    put(f)
    return f
@op
def plus(a, b):
    return a + b
def add(a, b):
    return OPS[0](a, b)
""",
    "a registry in a class": """\
class R:
    all = {}
    @classmethod
    def op(cls, f):
        cls.all[f.__name__] = f
        return f
@R.op
def plus(a, b):
    return a + b
def add(a, b):
    return R.all['plus'](a, b)
""",
    "a registering call": """\
OPS = {}
def register(name):
    return lambda f: OPS.setdefault(name, f)
def plus(a, b):
    return a + b
register('s')(plus)
def add(a, b):
    return OPS['s'](a, b)
""",
    "singledispatch": """\
from functools import singledispatch
@singledispatch
def part(x):
    return 0
@part.register
def _(x: int):
    return x
def add(a, b):
    return part(a) + part(b)
""",
    "__init_subclass__": """\
class Base:
    kinds = []
    def __init_subclass__(cls, **kw):
        Base.kinds.append(cls)
class Sum(Base):
    def go(self, a, b):
        return a + b
def add(a, b):
    return Base.kinds[0]().go(a, b)
""",
    "__subclasses__": """\
class Base:
    pass
class Sum(Base):
    go = staticmethod(lambda a, b: a + b)
def add(a, b):
    return Base.__subclasses__()[0].go(a, b)
""",
    "globals": """\
def add(a, b):
    return globals()['helper'](a, b)
def helper(a, b):
    return a + b
""",
    "eval": """\
def add(a, b):
    return eval('helper(a, b)')
def helper(a, b):
    return a + b
""",
    "setattr": """\
class C:
    pass
def go(self, a, b):
    return a + b
setattr(C, 'go', go)
def add(a, b):
    return C().go(a, b)
""",
    "an import that nothing uses": f"import not_installed\nfrom not_there import x\n{CODE}",
    "a future import": f"from __future__ import annotations\n{CODE}",
    "a return behind the function": f"{CODE}\nreturn add(1, 2)",
}


@pytest.mark.parametrize("name", KEPT)
@pytest.mark.parametrize("prompt", ["", PROMPT])
def test_what_is_needed_stays_and_the_rest_does_no_harm(name: str, prompt: str) -> None:
    found = extract.program(f"```python\n{KEPT[name]}\n```", ["add"], prompt)
    assert value(found, "add(1, 2)") == 3
    compile(str(found), "found", "exec")


def test_python_as_it_stands_is_left_alone() -> None:
    """Markers inside strings are text where the program is Python without being touched."""
    source = (
        'def add(a, b):\n    """Returns </s> or ```, see <code>."""\n    return a + b + len("<|im_end|>[DONE]") - 16'
    )
    assert extract.program(f"```python\n{source}\n```", ["add"]) == source


@pytest.mark.skipif(not SHARED.exists(), reason="the shared texts are not beside the repository")
def test_the_shared_texts_get_their_verdict() -> None:
    loaded = tasks.load(protocols.get("llada-fair/mbpp"), Source("folder", SHARED.parents[1] / "data"))
    wrong = []
    for row in map(json.loads, SHARED.read_text().splitlines()):
        doc = loaded.docs[0] | {"test_list": row["tests"], "test_setup_code": "", "test_imports": []}
        assert codescore.entries_of(doc) == [row["entry"]]
        if score(loaded, doc, row["text"]).correct != row["correct"]:
            wrong.append(row["text"])
    assert wrong == []
