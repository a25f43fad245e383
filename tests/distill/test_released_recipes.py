"""Every value of a recipe is the released one, or the recipe names the released one and why it departs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from methods.distill import recipe
from methods.errors import MethodsUsageError

TABLE: dict[str, Any] = yaml.safe_load((Path(__file__).parents[1] / "data" / "released_recipes.yaml").read_text())
# what a release cannot have: how this trainer saves, logs, checks and draws, and the switch to the release's own data
OURS = {"same_teacher", "problems", "seed", "checkpointing", "save_every", "log_every", "compat"}
VARIANTS = [
    (name, variant)
    for name in recipe.names()
    for variant in yaml.safe_load((recipe.FOLDER / f"{name}.yaml").read_text())["variants"]
    if variant != "mini"  # an experiment of its own, nothing of it is released
]


def plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


@pytest.mark.parametrize(("name", "variant"), VARIANTS)
def test_every_value_is_the_released_one_or_a_named_departure(name: str, variant: str) -> None:
    loaded, released = recipe.load(name, variant), TABLE[name][variant]
    values = {key: plain(value) for key, value in loaded.values().items() if key not in OURS}
    assert set(released) == set(values), "the table of released values is complete"
    departs = {key for key, value in values.items() if released[key] not in ("unpublished", value)}
    assert departs == set(loaded.differs)
    for key in departs:
        want = released[key]
        assert loaded.differs[key].released == (", ".join(want) if isinstance(want, list) else str(want)), key
        assert len(loaded.differs[key].reason) > 20, key


def test_the_table_names_no_recipe_that_is_gone() -> None:
    assert {(name, variant) for name in TABLE if name[0] != "." for variant in TABLE[name]} == set(VARIANTS)


def test_the_values_that_once_departed_in_silence() -> None:
    assert recipe.load("d2f", "llada").common.batch == 5
    assert recipe.load("d2f", "llada").common.max_length == 1024
    assert recipe.load("d3llm", "llada_compat").common.temperatures == (0.0, 0.1, 0.2, 0.3, 0.4)
    assert recipe.load("d2f", "dream").differs["student"].released == "Dream-org/Dream-v0-Base-7B"
    assert recipe.load("d3llm", "dream").differs["gen_length"].released == "512"
    assert "always sets" in recipe.load("d3llm", "dream").differs["correct_only"].reason
    tad = recipe.load("tad_speed", "dream").common
    assert (tad.score, tad.top_p, tad.temperatures) == ("entropy", 0.95, (0.2,))


def test_a_value_of_ones_own_is_no_departure_of_the_recipe() -> None:
    changed = recipe.load("d3llm", "llada").with_values({"max_length": 384, "correct_only": "false"})
    assert set(changed.differs) == {"data", "targets"}


def test_the_documentation_lists_every_departure() -> None:
    page = (Path(__file__).parents[2] / "docs" / "training.md").read_text()
    for name, variant in VARIANTS:
        for key, difference in recipe.load(name, variant).differs.items():
            row = f"| `{name}` {variant} | `{key}` | {difference.released} | {difference.reason} |"
            assert row in page, row


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("{delt: {released: 1, reason: r}}", "'delt'.*Did you mean 'delta'"),
        ("{delta: 8}", "differs, delta: write released and reason"),
        ("[delta]", "differs is a table"),
    ],
)
def test_a_bad_departure_is_named(table: str, words: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(f"title: t\nsource: s\nobjective: temporal\nvariants: {{mini: {{differs: {table}}}}}\n")
    with pytest.raises(MethodsUsageError, match=words):
        recipe.load(str(file), "mini")
