"""Who may import whom, and that the light verbs never import torch: read from the source, and tried in a process."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("harness", "methods", "tasks", "reports")
# package -> what no file of it may import, not even inside a function
NEVER = {
    "tasks": {"harness", "methods", "reports", "torch", "transformers"},
    "methods": {"harness", "tasks", "reports"},
    "reports": {"torch", "transformers", "methods", "tasks"},
    "harness": set(),
}
# what reports may take from the instrument
REPORTS_MAY = ("harness.store", "harness.metrics", "harness.stats", "harness.errors", "harness.show")
HEAVY = {"torch", "transformers", "lm_eval", "datasets"}
# files that are imported only where a model is used anyway
MODEL_FILES = {
    *("harness/adapter.py", "harness/bench.py", "harness/lm_tasks/__init__.py", "harness/runner/stored_model.py")
}


def imports(file: Path) -> Iterator[tuple[str, bool]]:
    """(module, whether at the top of the file) of every import; type-checking blocks are not imports."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for node in tree.body:
        if not (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)):
            top = isinstance(node, (ast.Import, ast.ImportFrom))
            for inner in ast.walk(node):
                if isinstance(inner, ast.Import):
                    yield from ((alias.name, top) for alias in inner.names)
                elif isinstance(inner, ast.ImportFrom) and inner.module and not inner.level:
                    yield inner.module, top


def files(package: str) -> list[Path]:
    """Every source file of a package."""
    return sorted((ROOT / package).rglob("*.py"))


@pytest.mark.parametrize("package", PACKAGES)
def test_the_arrows_hold(package: str) -> None:
    wrong = [
        f"{file.relative_to(ROOT)} imports {module}"
        for file in files(package)
        for module, _ in imports(file)
        if module.split(".")[0] in NEVER[package]
    ]
    assert not wrong, "\n".join(wrong)


def every_import(file: Path, modules: Iterable[str] = ()) -> Iterator[str]:
    """The modules a file imports, type-checking blocks included; `from a import b` is a.b where that is a module."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                submodule = f"{node.module}.{alias.name}"
                yield submodule if submodule in modules else node.module


def module_files() -> dict[str, Path]:
    """Module name -> source file, of every package."""
    return {
        ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): file
        for package in PACKAGES
        for file in files(package)
    }


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Groups of modules that reach one another over imports: at the top, inside functions or for type checking."""

    def reachable(name: str) -> set[str]:
        seen, todo = set[str](), list(graph[name])
        while todo:
            if (other := todo.pop()) not in seen:
                seen.add(other)
                todo += graph[other]
        return seen

    reach = {name: reachable(name) for name in graph}
    groups = {tuple(sorted(other for other in reach[name] if name in reach[other])) for name in graph}
    return sorted(list(group) for group in groups if group)


def test_no_module_imports_in_a_circle() -> None:
    modules = module_files()
    graph = {name: set(every_import(file, modules)) & set(modules) for name, file in modules.items()}
    assert graph["harness.runner.execute"], "the imports were not read"
    assert circles(graph) == []


def test_a_circle_is_found() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"d"}, "e": set()}) == [["b", "c"], ["d"]]


def test_the_engine_knows_nothing_of_the_published_decoders() -> None:
    for file in files("methods/decoding"):
        assert "compat" not in file.read_text(encoding="utf-8"), file
        assert not [name for name in every_import(file) if name.startswith(("methods.reference", "methods.catalog"))]
    for file in files("methods/catalog"):
        assert not [name for name in every_import(file) if name.startswith("methods.reference")], file


def test_benchmarks_import_no_tests() -> None:
    wrong = [
        f"{file.relative_to(ROOT)} imports {module}"
        for file in files("benchmarks")
        for module, _ in imports(file)
        if module.split(".")[0] == "tests"
    ]
    assert files("benchmarks")
    assert not wrong, "\n".join(wrong)


def test_reports_take_only_the_store_and_the_numbers_from_the_instrument() -> None:
    wrong = [
        f"{file.relative_to(ROOT)} imports {module}"
        for file in files("reports")
        for module, _ in imports(file)
        if module.split(".")[0] == "harness" and module != "harness" and not module.startswith(REPORTS_MAY)
    ]
    assert not wrong, "\n".join(wrong)


def test_the_instrument_imports_heavy_packages_only_inside_functions() -> None:
    wrong = [
        f"{file.relative_to(ROOT)} imports {module} at its top"
        for file in files("harness")
        for module, top in imports(file)
        if top and module.split(".")[0] in HEAVY and str(file.relative_to(ROOT)) not in MODEL_FILES
    ]
    assert not wrong, "\n".join(wrong)


def test_every_file_says_what_it_is() -> None:
    without = [
        str(file.relative_to(ROOT))
        for package in PACKAGES
        for file in files(package)
        if not ast.get_docstring(ast.parse(file.read_text(encoding="utf-8")))
    ]
    assert not without


LIGHT = [
    ["--help"],
    ["--version"],
    ["run", "--help"],
    ["ls", "methods"],
    ["ls", "tasks"],
    ["ls", "suites"],
    ["ls", "runs", "--out", "{store}"],
    ["show", "nothing", "--out", "{store}"],
    ["table", "--paper", "tad", "--suite", "llada", "--source", "published", "--format", "csv"],
    ["audit"],
    ["report", "--help"],
    ["compare", "--help"],
    ["lm-eval", "--help"],
]
TRY = """
import json, sys
from harness.cli import main
found = {}
for arguments in json.loads(sys.argv[1]):
    sys.argv = ["harness", *arguments]
    try:
        main()
    except SystemExit:
        pass
    found[" ".join(arguments)] = sorted({"torch", "transformers", "lm_eval"} & set(sys.modules))
    if found[" ".join(arguments)]:
        break
print(json.dumps(found), file=sys.stderr)
"""


def test_light_verbs_never_import_torch(tmp_path: Path) -> None:
    arguments = [[word.format(store=tmp_path) for word in words] for words in LIGHT]
    done = subprocess.run(
        [sys.executable, "-c", TRY, json.dumps(arguments)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=True,
    )
    found = json.loads(done.stderr.splitlines()[-1])
    assert len(found) == len(LIGHT)
    assert not {verb: modules for verb, modules in found.items() if modules}


QUICK = [
    (["--help"], ("pandas", "numpy", "matplotlib", "yaml", "methods")),
    (["ls", "methods"], ("pandas", "numpy", "matplotlib")),
    (["ls", "runs", "--out", "{store}"], ("pandas", "numpy", "matplotlib")),
    (["show", "nothing", "--out", "{store}"], ("pandas", "matplotlib")),
]


@pytest.mark.parametrize(("words", "slow"), QUICK, ids=["--help", "ls methods", "ls runs", "show"])
def test_what_answers_at_once_imports_nothing_slow(words: list[str], slow: tuple[str, ...], tmp_path: Path) -> None:
    code = TRY.replace('{"torch", "transformers", "lm_eval"}', repr(set(slow)))
    arguments = [word.format(store=tmp_path) for word in words]
    done = subprocess.run(
        [sys.executable, "-c", code, json.dumps([arguments])],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=True,
    )
    assert json.loads(done.stderr.splitlines()[-1]) == {" ".join(arguments): []}
