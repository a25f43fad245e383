"""The import closure: what is followed, what is not, and what a digest does not see."""

from __future__ import annotations

import importlib
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from harness.closure import Closure, content, runs, source, walk
from harness.regenerate import roots, stages
from harness.regenerate.profiles import profile_of
from methods import registry
from tasks import protocols

ROOT = Path(__file__).parents[2]
FILES = {
    "methods/__init__.py": "",
    "methods/engine.py": (
        "from math import floor\nfrom methods.parts import used\ndef run(x):\n    return used(floor(x))\n"
    ),
    "methods/parts.py": "def used(x): return x + ONE\ndef unused(x): return 2\nONE = 1\n",
    "methods/inner.py": "def run():\n    from methods import parts as p\n    return p.unused(1)\n",
    "methods/named.py": "ROW = {'decoder': 'methods.parts:unused'}\nMODULE = 'methods.parts'\n",
    "methods/whole.py": "from methods import parts\nMODULES = [parts]\n",
    "methods/star.py": "from methods.parts import *\ndef run(): return unused(2)\n",
    "methods/acts.py": "import os\nos.environ['A'] = 'b'\ndef run(): return 1\n",
    "methods/registers.py": "from methods.parts import unused\n@unused\ndef hidden(): return 1\ndef run(): return 2\n",
    "methods/types.py": (
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from methods.parts import unused\n"
        "def run(x: unused) -> unused: return 3\n"
    ),
    "methods/tables.py": "from methods.parts import unused, used\nTABLE = {'a': used, 'b': unused}\n",
    "methods/lazy/__init__.py": (
        "import importlib\nfrom typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    from methods.lazy.one import f\n    from methods.lazy.two import g\n"
        "def __getattr__(name): return getattr(importlib.import_module('.'.join(['methods', 'lazy', name])), name)\n"
    ),
    "methods/lazy/one.py": "def f(): return 1\n",
    "methods/lazy/two.py": "def g(): return 2\n",
    "methods/takes.py": "def run():\n    from methods.lazy import f\n    return f()\n",
    "methods/group/__init__.py": "from methods.group import one, two\nALL = [m.make for m in (one, two)]\n",
    "methods/group/one.py": "def make(): return 1\n",
    "methods/group/two.py": "def make(): return 2\n",
    "methods/member.py": (
        "from methods.parts import used, unused\nclass A:\n    def run(self): return self._own()\n"
        "    def _own(self): return used(1)\n    def other(self): return unused(1)\n"
    ),
    "methods/close.py": "from . import parts\nfrom .parts import used as u\ndef run(): return parts.unused(u(1))\n",
}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return tmp_path


def reached(tree: Path, root: str, **options: object) -> set[str]:
    closure = Closure(root=tree, **options).add(root)  # type: ignore[arg-type]
    return {f"{module.removeprefix('methods.')}:{name.partition('#')[0]}" for module, name in closure.parts}


USED, UNUSED, ONE = "parts:used", "parts:unused", "parts:ONE"


@pytest.mark.parametrize(
    ("root", "found"),
    [
        ("methods.engine:run", {"engine:run", USED, ONE}),
        ("methods.inner:run", {"inner:run", UNUSED}),
        ("methods.named:ROW", {"named:ROW", UNUSED}),
        ("methods.named:MODULE", {"named:MODULE", USED, UNUSED, ONE}),
        ("methods.whole:MODULES", {"whole:MODULES", USED, UNUSED, ONE}),
        ("methods.star:run", {"star:run", UNUSED}),
        ("methods.acts:run", {"acts:run", "acts:"}),
        ("methods.registers:run", {"registers:run", "registers:", UNUSED}),
        ("methods.types:run", {"types:run"}),
        ("methods.tables:TABLE", {"tables:TABLE", USED, UNUSED, ONE}),
        ("methods.takes:run", {"takes:run", "lazy.one:f"}),
        ("methods.lazy:g", {"lazy.two:g"}),
        ("methods.group:ALL", {"group:ALL", "group.one:make", "group.two:make"}),
        ("methods.close:run", {"close:run", USED, UNUSED, ONE}),
        ("methods.member:A.run", {"member:A.run", "member:A._own", USED, ONE}),
        ("methods.parts", {USED, UNUSED, ONE}),
    ],
)
def test_what_is_reached(root: str, found: set[str], tree: Path) -> None:
    assert reached(tree, root) == found


def test_cuts_and_chosen_entries(tree: Path) -> None:
    assert reached(tree, "methods.engine:run", cuts={"methods.parts:used"}) == {"engine:run"}
    assert reached(tree, "methods.engine:run", cuts={"methods.parts"}) == {"engine:run"}
    for key, found in (("b", {"tables:TABLE", UNUSED}), ("c", set())):
        assert reached(tree, "methods.tables:TABLE", chosen={"methods.tables:TABLE": key}) == found


@pytest.mark.parametrize("root", ["methods.nothing:run", "methods.engine:walk", "methods.engine:run.step"])
def test_a_root_that_does_not_exist_is_named(root: str, tree: Path) -> None:
    with pytest.raises(LookupError, match=root):
        Closure(root=tree).add(root)


@pytest.mark.parametrize(
    ("file", "old", "new", "same"),
    [
        ("engine", "from math import floor", "from math import ceil as floor", False),
        ("engine", "return used(floor(x))", "return used((floor)(x),)  # as before", True),
        ("engine", "def run(x):", 'def run(x: "int") -> int:\n    """Run."""', True),
        ("engine", "def run(x):", "def run(x=1):", False),
        ("parts", "ONE = 1", "ONE = 1.0", False),
        ("parts", "ONE = 1", "ONE = True", False),
        ("parts", "ONE = 1", "ONE: int = 0x1", True),
        ("parts", "return 2", "return 3", True),
        ("parts", "x + ONE", "ONE + x", False),
        ("parts", "x + ONE", "x - ONE", False),
    ],
)
def test_what_a_digest_sees(file: str, old: str, new: str, same: bool, tree: Path) -> None:
    before = Closure(root=tree).add("methods.engine:run").digest()
    place = tree / "methods" / f"{file}.py"
    assert old in place.read_text()
    place.write_text(place.read_text().replace(old, new))
    assert (Closure(root=tree).add("methods.engine:run").digest() == before) is same


def test_parts_of_a_slice_are_told_apart() -> None:
    texts = {source.parse(f"x = y[{text}]\n", "m").find("x")[0] for text in ("1:", ":1", "::1")}
    made = {source.parse("", "m").definition(node).text for node in texts}
    assert len(made) == 3


def test_another_package_is_followed_in_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "someones_decoder"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "build.py").write_text("from someones_decoder.rule import Rule\ndef build(): return Rule()\n")
    (folder / "rule.py").write_text("from methods.errors import unknown\nclass Rule: limit = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    walk._folder.cache_clear()
    closure = Closure().add("someones_decoder.build:build")
    assert closure.modules == {"someones_decoder.build", "someones_decoder.rule"}
    assert "someones_decoder" not in sys.modules or "someones_decoder.rule" not in sys.modules


def test_a_builder_made_at_run_time_is_keyed_by_its_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "someones_module.py").write_text("def make(): return 1\nglobals()['build'] = make\n")
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    walk._folder.cache_clear()
    row, protocol = registry.get("tad_speed"), protocols.get("mini/gsm8k")
    versions = []
    for value in (1, 2):
        (tmp_path / "someones_module.py").write_text(f"def make(): return {value}\nglobals()['build'] = make\n")
        other = replace(row, decoder="someones_module:build")
        versions.append(runs.code_version(other, "fixed", protocol, "llada"))
    assert versions[0] != versions[1]
    nowhere = replace(row, decoder="__main__:build")  # typed into an interpreter
    assert runs.code_version(nowhere, "fixed", protocol, "llada") not in versions


def all_closures() -> dict[str, Closure]:
    found = {stage.name: stage.code.closure() for stage in stages(Path("out"), profile_of("full"))}
    for name, row in registry.all_methods().items():
        found[f"run of {name}"] = runs.closure_of((*runs.ROOTS, content.builder(row)), None)
    return found


def test_every_root_and_every_cut_exists() -> None:
    all_closures()  # raises LookupError for a root that does not
    Closure().add(*runs.CUTS, *roots.CUTS, *roots.READING_CUTS)


def has(table: str, key: str) -> bool:
    """Whether `module:TABLE` is a dict literal with the key."""
    module, _, name = table.partition(":")
    file = ROOT.joinpath(*module.split("."))
    parsed = source.read(file / "__init__.py" if file.is_dir() else file.with_suffix(".py"), module)
    (node,) = parsed.find(name)
    entry = parsed.entry(node, key)
    return entry is not None and entry is not node


def test_every_chosen_entry_exists() -> None:
    for row in registry.all_methods().values():
        assert not row.recipe or has(roots.OBJECTIVES, roots.recipe_values(row.recipe)["objective"])
        for published in row.reference.values():
            assert any(has(table, published) for table in runs.TABLES)


def test_a_published_decoder_is_keyed_by_its_own_code() -> None:
    row, protocol = registry.get("tad_speed"), protocols.get("mini/gsm8k")
    versions = {runs.code_version(row, *rest, protocol, "llada") for rest in (["fixed"], ["compat"])}
    versions |= {runs.code_version(row, "compat", protocol, "dream")}
    assert len(versions) == 3
    builder = content.builder(row)
    published = runs.closure_of((*runs.ROOTS, builder), row.reference["llada"])
    assert ("methods.reference.assembly", "llada_tad_multi_block#0") in published.parts
    assert ("methods.reference.assembly", "dream_tad_multi_block#0") not in published.parts


def test_a_run_depends_on_no_store_no_command_line_no_report_and_no_other_method() -> None:
    for name, closure in all_closures().items():
        if name.startswith("run of"):
            wrong = (
                "harness.store",
                "harness.verbs",
                "harness.progress",
                "reports",
                "methods.distill",
                "tasks.sandbox",
            )
            assert not [module for module in closure.modules if module.startswith(wrong)], name
            assert ("methods.decoding.speculative" in closure.modules) == (name == "run of ar_speculative")


def test_importing_a_module_changes_nothing_outside_of_it() -> None:
    """So that a module of which nothing is used cannot change a result."""
    known = ("harness.cli", "harness.verbs.", "tasks.sandbox.inside.")  # verbs register; scripts are always followed
    others = {
        "harness.closure.content",  # its own YAML loader
        "harness.compare",  # can be called, as harness.compare(...)
        "harness.sweep",
        "harness.forwards",  # refuses a foreign package of the name `methods`
        "tasks.mathscore",  # ends its child process at exit
        "reports.figures.base",  # draws without a screen
    }
    acting = set()
    for package in walk.PACKAGES:
        for file in (ROOT / package).rglob("*.py"):
            module = ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
            acting |= {module} if source.read(file, module).effects else set()
    assert {module for module in acting if not module.startswith(known)} == others


def test_a_closure_is_fast() -> None:
    source._parsed.clear()
    row, protocol = registry.get("tad_speed"), protocols.get("mini/gsm8k")
    began = time.process_time()
    runs.code_version(row, "fixed", protocol, "llada")
    first = time.process_time() - began
    began = time.process_time()
    runs.code_version(row, "fixed", protocol, "llada")
    assert time.process_time() - began < 0.5 * first  # nothing is parsed twice
    assert first < 1.0


def test_content_leaves_out_what_is_for_readers(tmp_path: Path) -> None:
    recipe = tmp_path / "r.yaml"
    recipe.write_text("title: A\nobjective: x\nloss: {tau: 1.0}\nvariants: {mini: {steps: 5}, llada: {steps: 7}}\n")
    first = content.recipe(recipe, "mini")
    assert first == {"objective": "x", "tau": 1.0, "steps": 5}
    recipe.write_text("# B\ntitle: B\nobjective: x\ntau: 1.0\nvariants: {mini: {steps: 5}, llada: {steps: 8}}\n")
    assert content.recipe(recipe, "mini") == first
    row = registry.get("tad_speed")
    assert content.method(row) != content.method(registry.get("d3llm"))


def test_a_definition_has_its_includes_and_the_functions_it_names() -> None:
    from tasks.catalogue import definitions

    text, functions = content.definition(definitions()["mini_mbpp"])
    assert "[BEGIN]" in text
    assert "tasks.codescore:process_results" in functions
    prompts, none = content.definition(definitions()["mini_mbpp"], content.SCORING)
    assert not none
    assert "process_results" not in prompts
    upstream, _ = content.definition(definitions()["gsm8k"])
    assert "doc_to_text" in upstream
