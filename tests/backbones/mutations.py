"""Hypothesis strategies that damage a valid JSON or YAML tree: values replaced by odd ones, keys removed or renamed."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from([0, -1, 1, 2, 3, 7, 10**8, 2**31, 2**64, 10**30, -(10**12)]),
    st.sampled_from([0.5, -0.0, 1e-320, 1e308, float("inf"), float("nan")]),
    st.sampled_from(
        ["", "x", "7", "../x", "/etc/passwd", "a\nb", "\x1b[31m", "\u202e", "model.safetensors", "F32", "I64"]
    ),
    st.just([]),
    st.just({}),
    st.lists(st.integers(-2, 9), max_size=3),
    st.dictionaries(st.sampled_from(["type", "rope_type", "content", "id", "factor"]), st.integers(), max_size=2),
)


def places(tree: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place of a JSON tree, as the keys that lead there."""
    yield at
    if isinstance(tree, dict | list):
        for key in tree if isinstance(tree, dict) else range(min(len(tree), 12)):
            yield from places(tree[key], (*at, key))


@st.composite
def mutated(draw: st.DrawFn, tree: Any) -> Any:
    """`tree` with one to three of its places replaced or removed."""
    made = copy.deepcopy(tree)
    for _ in range(draw(st.integers(1, 3))):
        spot = draw(st.sampled_from(list(places(made))))
        value = draw(ODD)
        if not spot:
            return value
        parent = made
        for key in spot[:-1]:
            parent = parent[key]
        change = draw(st.sampled_from(["value", "value", "gone", "renamed"]))
        if change == "value" or isinstance(parent, list):
            parent[spot[-1]] = value
            continue
        old = parent.pop(spot[-1])
        if change == "renamed":
            parent[value if isinstance(value, str) else "other"] = old
    return made
