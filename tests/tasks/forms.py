"""Tests of one function in every form that data sets use: they all want `f(2) == 4` and `f(3) == 9`.

A cheat may survive one construct and not another (`==` is syntax, `abs` and `set` are names), so each stands alone.
"""

from __future__ import annotations

CLOSE = """import numpy as np
def all_floats(value):
    if isinstance(value, (list, tuple)):
        return all(isinstance(item, float) for item in value)
    return isinstance(value, (float, np.ndarray))
def compare(out, expected, atol):
    same = out == expected
    if atol == 0 and all_floats(expected):
        atol = 1e-6
    if not same and atol != 0:
        assert type(out) == type(expected)
        assert np.allclose(out, expected, rtol=1e-07, atol=atol)
    else:
        assert same
"""
UNITTEST = "import unittest\nclass TestF(unittest.TestCase):\n"

FORMS: dict[str, tuple[str, str | None]] = {
    "check": ("def check(candidate):\n    assert candidate(2) == 4\n    assert candidate(3) == 9\n", "f"),
    "bare ==": ("assert f(2) == 4\nassert f(3) == 9", None),
    "abs": (
        "def check(candidate):\n    assert abs(candidate(2) - 4) < 1e-6\n    assert abs(candidate(3) - 9) < 1e-6", "f"),
    "abs, bare": ("assert abs(f(2) - 4) < 1e-6\nassert abs(f(3) - 9) < 1e-6", None),
    "set": ("assert set([f(2), f(3)]) == set([4, 9])", None),
    "set of an answer": ("assert set([f(2)]) == {4}\nassert frozenset((f(3),)) == frozenset([9])", None),
    "loop": ("for x in range(2, 4):\n    assert f(x) == x ** 2", None),
    "zip": ("for x, y in zip([2, 3], [4, 9]):\n    assert f(x) == y", None),
    "enumerate": ("for i, y in enumerate([4, 9]):\n    assert f(i + 2) == y", None),
    "EvalPlus": (
        CLOSE + "inputs = [[2], [3]]\nresults = [4, 9]\n"
        "for i, (inp, exp) in enumerate(zip(inputs, results)):\n    compare(f(*inp), exp, 0)",
        None,
    ),
    "EvalPlus, atol": (
        CLOSE + "def check(candidate):\n    inputs = [[2], [3]]\n    results = [4, 9]\n"
        "    for i, (inp, exp) in enumerate(zip(inputs, results)):\n        compare(candidate(*inp), exp, 1e-6)",
        "f",
    ),
    "isclose": ("import math\nassert math.isclose(f(2), 4, abs_tol=1e-6)\nassert math.isclose(f(3), 9)", None),
    "from import": ("from math import isclose\nassert isclose(f(2), 4) and isclose(f(3), 9)", None),
    "all": ("assert all(f(x) == x * x for x in (2, 3))", None),
    "not any": ("assert not any(f(x) != x * x for x in (2, 3))", None),
    "map": ("assert list(map(f, [2, 3])) == [4, 9]\nfor y, z in zip(map(f, [2, 3]), [4, 9]):\n    assert y == z", None),
    "map alone": (
        "def same(x):\n    assert f(x) == x * x\n    return True\nassert len(list(map(same, [2, 3]))) == 2", None),
    "sorted, sum, len": (
        "found = sorted([f(3), f(2)])\nassert found == [4, 9] and sum(found) == 13 and len(found) == 2",
        None,
    ),
    "isinstance, round": (
        "assert isinstance(f(2), int) and round(f(2)) == 4\nassert type(f(3)) is int and float(f(3)) == 9.0",
        None,
    ),
    "str": ("assert str(f(2)) == '4'\nassert f'{f(3)}' == '9' and repr(f(3)) == '9'", None),
    "min, max": ("assert min(f(2), f(3)) == 4 and max(f(2), f(3)) == 9", None),
    "in": ("assert f(2) in (4,) and 4 in [f(2)]\nassert f(3) in {9} and 9 in (f(3),)", None),
    "dict": ("assert {x: f(x) for x in (2, 3)} == {2: 4, 3: 9} == dict([(2, f(2)), (3, f(3))])", None),
    "Counter": ("import collections\nassert collections.Counter([f(2), f(3)]) == collections.Counter([4, 9])", None),
    "try": (
        "try:\n    assert f(2) == 4 and f(3) == 9\nexcept Exception as error:\n    raise AssertionError(error)", None),
    "bare except": (
        "ok = False\ntry:\n    assert f(2) == 4 and f(3) == 9\n    ok = True\nexcept:\n    pass\nassert ok", None),
    "unittest": (
        UNITTEST + "    def test_f(self):\n        self.assertEqual(f(2), 4)\n        self.assertEqual(f(3), 9)",
        None,
    ),
    "unittest, all else": (
        UNITTEST + "    def setUp(self):\n        self.cases = [(2, 4), (3, 9)]\n    def test_f(self):\n"
        "        for x, y in self.cases:\n            with self.subTest(x=x):\n"
        "                self.assertTrue(f(x) == y)\n"
        "                self.assertAlmostEqual(f(x), y)\n                self.assertIn(f(x), [y])\n"
        "                self.assertListEqual([f(x)], [y])\nif __name__ == '__main__':\n    unittest.main()",
        None,
    ),
    "numpy": (
        "import numpy as np\nassert np.array_equal(np.array([f(2), f(3)]), np.array([4, 9]))\n"
        "np.testing.assert_allclose([f(2), f(3)], [4, 9])",
        None,
    ),
}  # fmt: skip
