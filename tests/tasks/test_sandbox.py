"""What the sandbox says of ordinary programs: it must agree with a direct run, whatever crosses between processes."""

from __future__ import annotations

import collections
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks import sandbox
from tasks.errors import TasksError
from tasks.sandbox import confine, verdict

sys.path.insert(0, str(confine.INSIDE))
import wire

GOOD = [
    ("def sum(a, b):\n    return a + b", "assert sum(1, 2) == 3", None),
    ("def f(x):\r\n\treturn x\r\n", "assert f(1) == 1", None),
    ("x = '" + "a" * 1_000_000 + "'\ndef f():\n    return len(x)", "assert f() == 1_000_000", None),
    ("def f(n):\n    return 'é☃𝄞\\0' * n", "assert f(2) == 'é☃𝄞\\0é☃𝄞\\0'", None),
    ("from math import pi\nimport math\ndef f(r):\n    return pi * r", "assert math.isclose(f(2), 2 * pi)", None),
    ("def f(l):\n    l.sort()", "x = [3, 1, 2]\nf(x)\nassert x == [1, 2, 3]", None),
    ("def f(d):\n    d['a'] = [1]\n    return d", "x = {}\nassert f(x) == {'a': [1]} and x == {'a': [1]}", None),
    ("def f(n):\n    yield from range(n)", "assert list(f(3)) == [0, 1, 2] and next(iter(f(2))) == 0", None),
    ("def f(a, *, key):\n    return sorted(a, key=key)", "assert f([1, -2], key=lambda x: -x) == [1, -2]", None),
    ("def f(g, x):\n    return g(g(x))", "def h(x): return x + 1\nassert f(h, 1) == 3", None),
    ("class P:\n    def __init__(self, a): self.a = a\ndef f(ps):\n    return [p.a for p in ps]",
     "p = P(1)\nassert p.a == 1\np.a = 5\nassert f([p, P(2)]) == [5, 2]", None),
    ("def f(n):\n    return n.left.value",
     "class Node:\n    def __init__(self, value): self.value, self.left = value, None\n"
     "root = Node(1)\nroot.left = Node(2)\nassert f(root) == 2", None),
    ("class Bad(ValueError): pass\ndef f():\n    raise Bad('no')",
     "try:\n    f()\nexcept Bad as e:\n    assert str(e) == 'no'\nelse:\n    assert False", None),
    ("def f(x):\n    return {x: 1}[2]", "try:\n    f(1)\nexcept KeyError:\n    pass\nelse:\n    assert False", None),
    ("from collections import Counter, OrderedDict, defaultdict, deque, namedtuple\nP = namedtuple('P', 'x y')\n"
     "def f(s):\n    d = defaultdict(int)\n    d[s] += 1\n"
     "    return Counter(s), d, deque(s), P(1, 2), OrderedDict(a=1)",
     "assert f('a') == ({'a': 1}, {'a': 1}, deque('a'), (1, 2), OrderedDict(a=1))", None),
    ("from decimal import Decimal\nfrom fractions import Fraction\nimport datetime\n"
     "def f():\n    return Decimal('1.10'), Fraction(1, 3), datetime.date(2020, 1, 2), datetime.timedelta(1), range(3)",
     "import datetime\nassert f() == (Decimal('1.1'), Fraction(1, 3), datetime.date(2020, 1, 2),"
     " datetime.timedelta(days=1), range(3))", None),
    ("def f():\n    return float('nan'), float('inf'), 2 ** 5000, 1j, b'x', None, True, ...",
     "a = f()\nassert a[0] != a[0] and a[1:] == (float('inf'), 2 ** 5000, 1j, b'x', None, True, ...)\n"
     "assert a[6] is True and a[5] is None", None),
    ("import re\ndef f(s):\n    return re.match('a', s)",
     "assert f('abc') and f('abc').group() == 'a' and not f('b')", None),
    ("def f(x):\n    return x", "import unittest\nclass T(unittest.TestCase):\n    def test_f(self):\n"
     "        self.assertEqual(f(2), 2)\n        with self.assertRaises(TypeError):\n            f()\n"
     "if __name__ == '__main__':\n    unittest.main()", None),
    ("def f(x):\n    return x", "def check(candidate):\n    assert candidate(2) == 2\n    assert f(3) == 3", "f"),
    ("def f(x):\n    return x\nif __name__ == '__main__':\n    raise SystemExit(f(input()))", "assert f(1) == 1", None),
    ("from dataclasses import dataclass\n@dataclass\nclass P:\n    x: int\ndef f(x):\n    return P(x)",
     "assert f(1) == P(1) and f(1) != P(2)", None),
    ("import functools\n@functools.cache\ndef f(n):\n    return n if n < 2 else f(n - 1) + f(n - 2)",
     "assert f(80) == 23416728348467685", None),
    ("ONE = object()\ndef f():\n    return ONE", "assert f() is f() and f() == f() and f() in [f()]", None),
    ("def f(d):\n    d.append(2)",
     "from collections import deque\nd = deque([1])\nf(d)\nassert d == deque([1, 2])", None),
    ("def f():\n    return b'\\xff'.decode()",
     "try:\n    f()\nexcept UnicodeDecodeError:\n    pass\nelse:\n    assert 0", None),
    ("def f():\n    raise ExceptionGroup('x', [ValueError()])",
     "try:\n    f()\nexcept Exception as error:\n    assert 'x' in str(error)\nelse:\n    assert 0", None),
    ("import math\ndef f():\n    return 2.0", "assert math.isclose(f(), 2)", None),
    ("from math import isclose as close, isclose\ndef f():\n    return 2.0",
     "assert isclose(f(), 2) and close(f(), 2)", None),
    ("def f(n):\n    yield from range(n)", "assert 2 in f(3) and 4 not in f(3)", None),
    ("def abs(x):\n    return 7\ndef f(x):\n    return abs(x)", "assert f(1) == 7 and abs(-2) == 2", None),
    ("def sum(a, b):\n    return a + b", "x = [1, 2]\nassert sum(*x) == 3 and len(x) == 2", None),
    ("def f(*args, **named):\n    return args, named", "assert f(1, (2,), a={3}) == ((1, (2,)), {'a': {3}})", None),
]  # fmt: skip
BAD = [
    ("def f(x):\n    return x", "assert f(1) == 2", None, "failed"),
    ("def f(x):\n    return x", "import unittest\nclass T(unittest.TestCase):\n    def test_f(self):\n"
     "        self.assertEqual(f(2), 3)", None, "failed"),
    ("def f(x):\n    return str(x)", "assert f(1) == 1", None, "failed"),
    ("def f(x):\n    return 1 / 0", "assert f(1) == 1", None, "failed"),
    ("def g(x):\n    return x", "def check(candidate):\n    assert candidate(1) == 1", "f", "failed"),
    ("def f(x:\n", "assert f(1) == 1", None, "syntax"),
    (" \n\t\n", "assert True", None, "no_code"),
    ("x = 1", "assert f(1) == 1", None, "failed"),
    ("x = 1", "assert (", None, "failed"),
    ("import os\ndef f():\n    os._exit(0)", "try:\n    f()\nexcept:\n    pass", None, "crashed"),
    ("def f(x):\n    raise StopIteration",
     "def same(x):\n    assert f(x) == x\nlist(map(same, [1, 2]))", None, "failed"),
    ("class A:\n    def __contains__(self, x):\n        return True\ndef f():\n    return A()",
     "assert 4 in f()", None, "failed"),
    ("def sum(a, b):\n    return 9\ndef abs(x):\n    return 0", "assert abs(sum(1, 2) - 3) < 1", None, "failed"),
    ("class math:\n    isclose = staticmethod(lambda *a: True)\ndef f():\n    return 5",
     "assert math.isclose(f(), 4)", None,
     "failed"),
    ("import operator as math\nmath.isclose = math.ne\ndef f():\n    return 5",
     "assert math.isclose(f(), 4)", None, "failed"),
    ("def f(x):\n    return x", "import unittest\nclass T(unittest.TestCase):\n    @unittest.expectedFailure\n"
     "    def test_f(self):\n        self.assertEqual(f(2), 2)", None, "failed"),
]  # fmt: skip


@pytest.mark.parametrize(("program", "test", "entry"), GOOD)
def test_right_programs_pass(program: str, test: str, entry: str | None) -> None:
    said = sandbox.check(program, test, entry, timeout=60)
    assert said.passed, said
    assert said.detail == ""
    assert 0 <= said.seconds < 60
    assert said.confinement in confine.NAMES


@pytest.mark.parametrize(("program", "test", "entry", "outcome"), BAD)
def test_wrong_programs_do_not(program: str, test: str, entry: str | None, outcome: str) -> None:
    said = sandbox.check(program, test, entry, timeout=60)
    assert (said.outcome, bool(said.detail)) == (outcome, True)


def test_checks_run_at_once_off_the_main_thread() -> None:
    def one(n: int) -> str:
        return sandbox.check(f"def f():\n    return {n}", f"assert f() == {n // 2 * 2}", timeout=60).outcome

    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(one, range(6))) == ["passed", "failed"] * 3


def test_numpy_is_there_where_it_is_installed() -> None:
    pytest.importorskip("numpy")
    program = "import numpy as np\ndef f(x):\n    return np.sum(x), np.array([1.5, 2])"
    said = sandbox.check(program, "a, b = f([1, 2])\nassert a == 3 and b.tolist() == [1.5, 2.0]", timeout=60)
    assert said.passed, said
    program = (
        "import numpy as np\ndef f():\n    return np.int64(0), np.float32(0), np.bool_(False), np.longdouble(1) / 3"
    )
    test = "a, b, c, d = f()\nassert a == 0 and b == 0 and c == False and d != 0"
    said = sandbox.check(program, test, timeout=60)  # nothing, as a number of numpy's, is a number and no object
    assert said.passed, said


def test_unconfined_code_is_refused_unless_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(confine, "available", lambda: (confine.Confinement("limits"),))
    monkeypatch.delenv(confine.ALLOW, raising=False)
    with pytest.raises(TasksError, match="--allow-unconfined-code") as caught:
        sandbox.check("x = 1", "assert True")
    assert caught.value.exit_code == 1
    assert sandbox.check("x = 1", "assert True", allow_unconfined=True, timeout=60).confinement == "limits"
    monkeypatch.setenv(confine.ALLOW, "1")
    assert confine.choose().name == "limits"


@pytest.mark.parametrize("walls", [one.name for one in confine.available()])
def test_every_confinement_gives_the_same_verdicts(walls: str) -> None:
    for program, outcome in (("def f():\n    return 1", "passed"), ("def f():\n    return 2", "failed")):
        said = sandbox.check(program, "assert f() == 1", confinement=walls, allow_unconfined=True, timeout=60)
        assert (said.outcome, said.confinement) == (outcome, walls)


def test_a_processor_limit_decides_before_the_wall_clock() -> None:
    said = sandbox.check("while True: pass", "assert True", timeout=60, cpu_seconds=1)
    assert (said.outcome, said.seconds < 50) == ("timeout", True)


def test_no_error_becomes_a_pass() -> None:
    for where in ("compiling", "program", "test"):
        for name in ("SystemExit", "MemoryError", "SyntaxError", "passed", "OSError", "Exception"):
            assert verdict.of_error({"class": [name, name], "text": "passed", "errno": 1}, where)[0] != "passed"
    for code in (None, *range(-64, 256)):
        outcome, detail = verdict.of_exit(code)
        assert outcome != "passed"
        assert detail


def test_what_a_program_writes_into_a_detail_is_one_printable_line() -> None:
    for text in ("a\nb", "\ud800", "\x1b[2J", "\0", "x" * 10**6, "\u202e"):
        _, detail = verdict.of_error({"class": [text, text], "text": text}, "test")
        detail.encode("utf-8")
        assert detail.isprintable()
        assert len(detail) < 500


plain: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary()
    | st.complex_numbers(allow_nan=False) | st.decimals(allow_nan=False) | st.fractions() | st.datetimes() | st.dates(),
    lambda inner: st.lists(inner, max_size=4)
    | st.lists(inner, max_size=4).map(tuple)
    | st.dictionaries(st.text(max_size=3) | st.integers() | st.booleans(), inner, max_size=4)
    | st.lists(st.integers() | st.text(max_size=3)).map(set)
    | st.lists(st.tuples(st.text(max_size=2), st.none())).map(frozenset)
    | st.lists(inner, max_size=3).map(collections.deque),
    max_leaves=12,
)  # fmt: skip


def never(*args: Any) -> Any:
    raise AssertionError(f"not plain: {args}")


@settings(max_examples=200, deadline=None)
@given(plain)
def test_plain_data_crosses_unchanged(value: Any) -> None:
    import json

    back = wire.decode(json.loads(json.dumps(wire.encode(value, never))), never)
    assert back == value
    assert type(back) is type(value)


@settings(max_examples=200, deadline=None)
@given(st.recursive(st.none() | st.integers() | st.text(), lambda i: st.lists(i) | st.dictionaries(st.text(), i)))
def test_no_message_makes_anything_but_plain_data(form: Any) -> None:
    made: list[Any] = []
    try:
        value = wire.decode(form, lambda kind, content: made.append(kind))
    except Exception:
        return
    assert made or wire.encode(value, never) is not NotImplemented


def test_cycles_and_subclasses_lose_their_tricks() -> None:
    class Sly(int):
        def __eq__(self, other: object) -> bool:
            return True

        __hash__ = int.__hash__

    assert type(wire.decode(wire.encode(Sly(3), never), never)) is int
    loop: list[Any] = []
    loop.append(loop)
    assert wire.encode(loop, lambda value: "handle") == ["handle"]


def test_nothing_of_the_project_is_visible_inside() -> None:
    folder = Path(sandbox.__file__).parents[2]
    program = f"import os\ndef f():\n    return os.path.exists({str(folder / 'tasks' / '__init__.py')!r})"
    if confine.choose(allow_unconfined=True).name == "limits":
        pytest.skip("no confinement of files on this machine")
    assert sandbox.check(program, "assert f() is False", timeout=60).passed


def test_files_in_memory_are_limited() -> None:
    if confine.choose(allow_unconfined=True).name == "limits":
        pytest.skip("the temporary directory is everybody's under resource limits alone")
    program = """
import os
def f(folder):
    written = 0
    try:
        for n in range(40):
            with open(f'{folder}/{n}', 'wb', buffering=0) as file:
                written += file.write(bytes(4 * 2 ** 20))
    except OSError:
        return written >> 20
def g():
    import multiprocessing
    return multiprocessing.Lock().acquire()
def h():
    try:
        open('/dev/here', 'w')
    except OSError:
        return 'refused'
"""
    test = "assert 0 < f('/tmp') <= 64 and 0 < f('/dev/shm') <= 16 and h() == 'refused'"
    for one in confine.available():
        if one.name != "limits":
            said = sandbox.check(program, test, confinement=one.name, timeout=60)
            assert said.passed, said
            assert sandbox.check(program, "assert g() is True", confinement=one.name, timeout=60).passed
