"""One source file as the names it defines, what importing it does besides, and what it imports."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from harness.closure.normalise import Definition, Import, definition, has_no_effect, imported, type_checking

_DEFINES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
# decorators that change nothing but what they decorate; any other may register it somewhere, so it counts as an effect
_PURE = {
    *("cache", "cached_property", "classmethod", "contextmanager", "dataclass", "inference_mode", "lru_cache"),
    *("no_grad", "overload", "property", "runtime_checkable", "staticmethod", "total_ordering", "wraps"),
    "register_model",  # lm-eval's list of models by name
}


@dataclass
class Source:
    """A module. definitions: statements by the top-level name they bind. effects: statements that run on import and
    bind nothing. imports: names bound by its import statements. lazy: names that only its `__getattr__` gives, by the
    imports it shows the type checker. stars: modules whose names it takes all.
    """

    module: str
    package: bool
    definitions: dict[str, list[ast.stmt]] = field(default_factory=dict)
    effects: list[ast.stmt] = field(default_factory=list)
    imports: dict[str, Import] = field(default_factory=dict)
    lazy: dict[str, Import] = field(default_factory=dict)
    stars: list[str] = field(default_factory=list)
    _made: dict[ast.AST, Definition] = field(default_factory=dict, repr=False)

    def find(self, name: str) -> list[ast.stmt]:
        """The statements behind a top-level name, or behind `Class.method`; [] for a name that is not defined here."""
        if name in self.definitions:
            return self.definitions[name]
        owner, _, member = name.partition(".")
        classes = [node for node in self.definitions.get(owner, ()) if isinstance(node, ast.ClassDef)]
        return [node for one in classes for node in one.body if isinstance(node, _DEFINES) and node.name == member]

    def entry(self, node: ast.stmt, key: str) -> ast.AST | None:
        """The value at `key` where the statement assigns a dict literal of constant keys, None where that lacks it.

        Any other statement is given back itself.
        """
        value = node.value if isinstance(node, (ast.Assign, ast.AnnAssign)) else None
        if not isinstance(value, ast.Dict):
            return node
        names = [name.value if isinstance(name, ast.Constant) else None for name in value.keys]
        if None in names:
            return node
        return dict(zip(names, value.values, strict=True)).get(key)

    def definition(self, node: ast.AST) -> Definition:
        """A part of this module, normalised; the same part is not normalised twice."""
        if node not in self._made:
            self._made[node] = definition(node, self.module, self.package)
        return self._made[node]


_parsed: dict[Path, tuple[tuple[int, int], Source]] = {}


def read(file: Path, module: str) -> Source:
    """The source of a module; a file that has not changed since is not parsed twice. Raises SyntaxError."""
    facts = file.stat()
    mark = (facts.st_mtime_ns, facts.st_size)
    if file not in _parsed or _parsed[file][0] != mark:
        _parsed[file] = (mark, parse(file.read_text(encoding="utf-8"), module, file.name == "__init__.py"))
    return _parsed[file][1]


def parse(text: str, module: str, package: bool = False) -> Source:
    """The source of a module from its text."""
    source = Source(module, package)
    for node in ast.parse(text).body:
        _add(source, node)
    if "__getattr__" not in source.definitions:
        source.lazy = {}
    return source


def _add(source: Source, node: ast.stmt) -> None:
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        _import(source, node)
    elif type_checking(node):
        for inner in ast.walk(node):
            if isinstance(inner, (ast.Import, ast.ImportFrom)):
                source.lazy |= imported(inner, source.module, source.package)
    elif not (has_no_effect(node) or _main(node)):
        bound = set(_bound(node))
        if bound <= {"__all__"} and bound:
            return
        for inner in ast.walk(node) if isinstance(node, (ast.If, ast.Try, ast.With)) else ():
            if isinstance(inner, (ast.Import, ast.ImportFrom)):
                _import(source, inner)
        for name in bound:
            source.definitions.setdefault(name, []).append(node)
        if not bound or _registers(node):
            source.effects.append(node)


def _import(source: Source, node: ast.Import | ast.ImportFrom) -> None:
    for name, target in imported(node, source.module, source.package).items():
        if name == "*":
            source.stars.append(target[0])
        else:
            source.imports[name] = target


def _bound(node: ast.stmt) -> Iterator[str]:
    """The top-level names that a statement binds; none for one that only acts, such as `registry["x"] = f`."""
    if isinstance(node, _DEFINES):
        yield node.name
    elif isinstance(node, (ast.Assign, ast.AnnAssign, ast.AugAssign)):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        for target in targets:
            parts = target.elts if isinstance(target, (ast.Tuple, ast.List)) else [target]
            yield from (part.id for part in parts if isinstance(part, ast.Name))
    elif isinstance(node, (ast.If, ast.Try, ast.With, ast.For, ast.While)):
        for inner in ast.iter_child_nodes(node):
            if isinstance(inner, ast.ExceptHandler):
                for statement in inner.body:
                    yield from _bound(statement)
            elif isinstance(inner, ast.stmt):
                yield from _bound(inner)
            elif isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store):
                yield inner.id


def _registers(node: ast.stmt) -> bool:
    if not isinstance(node, _DEFINES):
        return False
    calls = (decorator.func if isinstance(decorator, ast.Call) else decorator for decorator in node.decorator_list)
    return any(ast.unparse(call).rpartition(".")[2] not in _PURE for call in calls)


def _main(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "__name__ == '__main__'"
