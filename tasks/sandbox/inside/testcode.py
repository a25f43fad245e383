"""What a test needs of the tested code, read from the test alone. This file is read inside the sandbox by path."""

from __future__ import annotations

import ast
import builtins
import types

import wire

TYPE_CHECKING = False
if TYPE_CHECKING:  # importing it takes each process milliseconds
    from typing import Any


class TestCode:
    """A test, ready to run.

    code: without its plain classes. classes: the source of those, which live where the tested code can use them.
    asked: global names it takes from the tested code. modules: those of them that it uses as modules only.
    builtin: whether `asked` are names of Python's own, of which the tested code may replace one.
    checks: whether it defines HumanEval's `check`.
    """

    def __init__(self, source: str, entry: str | None) -> None:
        """Read a test; raises SyntaxError."""
        tree, self.classes = _split(ast.parse(source))
        self.code = compile(tree, "test.py", "exec", dont_inherit=True)
        defined = set(_defined(tree))
        loaded = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
        wanted = {name for name in (loaded & _global_names(self.code)) - defined if not name.startswith("__")}
        modules = {name for name in wanted - _used_alone(tree) if wire.ALIASES.get(name, name) in wire.PURE} - {entry}
        own = {name for name in wanted if not hasattr(builtins, name)}
        asked = own | ({entry} if entry else set())
        # MBPP tests a `sum`: a name of Python's own is asked for only where the test has nothing else to test
        self.builtin = not asked - _stored(tree) - modules
        asked |= {name for name in wanted if hasattr(builtins, name)} if self.builtin else set()
        self.asked, self.modules = frozenset(asked), frozenset(modules)
        self.checks = "check" in defined


def _split(tree: ast.Module) -> tuple[ast.Module, str]:
    classes = [
        node
        for node in tree.body
        if isinstance(node, ast.ClassDef) and not any("TestCase" in ast.unparse(base) for base in node.bases)
    ]
    if not classes:
        return tree, ""
    imports = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    tree.body = [node for node in tree.body if node not in classes] or [ast.Pass()]
    ast.fix_missing_locations(tree)
    return tree, "\n".join(ast.unparse(node) for node in [*imports, *classes])


def _defined(tree: ast.Module) -> list[str]:
    """The names that a test's own definitions and imports bind."""
    names = []
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.append(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names += [alias.asname or alias.name.partition(".")[0] for alias in node.names]
    return names


def _stored(tree: ast.Module) -> set[str]:
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}


def _used_alone(tree: ast.Module) -> set[str]:
    """The names that are used other than as `name.attribute`."""
    bases: set[Any] = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and id(node) not in bases}


def _global_names(code: types.CodeType) -> set[str]:
    """Every global or attribute name that a piece of code mentions."""
    names = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            names |= _global_names(constant)
    return names
