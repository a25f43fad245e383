"""Mutated recipe files: a recipe, or one sentence that names the file or the key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from methods.distill import recipe
from methods.errors import MethodsError
from tests.backbones.mutations import mutated

EXAMPLES = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def reads_or_says_why(file: Path, variant: str) -> None:
    try:
        loaded = recipe.load(str(file), variant)
        fault = ""
    except MethodsError as error:
        loaded, fault = None, str(error)
    assert "\n" not in fault
    assert loaded is None or loaded.with_values(loaded.values()) == loaded


@pytest.mark.parametrize("name", recipe.names())
@EXAMPLES
@given(st.data())
def test_a_mutated_recipe(tmp_path: Path, name: str, data: st.DataObject) -> None:
    tree: dict[str, Any] = yaml.safe_load((recipe.FOLDER / f"{name}.yaml").read_text())
    variant = sorted(tree["variants"])[0]
    file = tmp_path / f"{data.draw(st.integers(0, 10**9))}.yaml"  # files are remembered by name and time
    file.write_text(yaml.safe_dump(data.draw(mutated(tree))), encoding="utf-8")
    reads_or_says_why(file, variant)


@EXAMPLES
@given(st.binary(max_size=60))
def test_damaged_bytes(tmp_path: Path, junk: bytes) -> None:
    raw = (recipe.FOLDER / "d2f.yaml").read_bytes()
    file = tmp_path / f"{hash(junk)}.yaml"
    file.write_bytes(raw[:200] + junk + raw[200:])
    reads_or_says_why(file, "llada")
