"""Which top-level statements of a program its entry points need: definitions, data, and what fills that data."""

from __future__ import annotations

import ast
from collections.abc import Collection
from dataclasses import dataclass
from threading import Lock

FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef)
DEFINITION = (*FUNCTION, ast.ClassDef)
COMPOUND = (ast.For, ast.While, ast.With, ast.Try, ast.If)
NOT_DATA = {"doctest", "unittest", "sys"}  # a call of these runs the program's own tests, or ends it


# CPython keeps the depth of the tree under construction once for all threads and can raise SystemError when two parse
# at a time (python/cpython#106905; seen with 3.11.7); answers are scored in threads.
PARSING = Lock()


def parse(source: str) -> ast.Module | None:
    """The syntax tree of a source, None if it is not Python. Safe to call from several threads."""
    try:
        with PARSING:
            return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def names(node: ast.AST) -> tuple[set[str], set[str]]:
    """(names a top-level statement binds or changes, names it mentions)."""
    if isinstance(node, DEFINITION):
        return {node.name}, {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)}
    bound: set[str] = set()
    used: set[str] = set()
    for inner in ast.walk(node):
        if isinstance(inner, ast.Name):
            (bound if isinstance(inner.ctx, ast.Store | ast.Del) else used).add(inner.id)
        elif isinstance(inner, ast.Attribute | ast.Subscript) and isinstance(inner.ctx, ast.Store):
            bound |= {part.id for part in ast.walk(inner.value) if isinstance(part, ast.Name)}
        elif isinstance(inner, DEFINITION):
            bound.add(inner.name)
        elif isinstance(inner, ast.alias):
            bound.add((inner.asname or inner.name).split(".")[0])
    return bound, used


@dataclass
class _Program:
    """A program's statements with their names, and what of it is needed so far.

    last: name -> the statement that binds it last, as in Python the one that counts. data: names that are bound
    otherwise than by a definition or an import, so that later statements may fill them.
    """

    names: dict[ast.stmt, tuple[set[str], set[str]]]
    last: dict[str, ast.stmt]
    data: set[str]
    entries: set[str]
    needed: set[str]

    def grow(self) -> bool:
        """Add what the needed statements need; False when nothing is new."""
        found = set[str]()
        for node, (bound, used) in self.names.items():
            if (bound & self.needed and not _is_main(node)) or self.sets_up(node):
                found |= (used | bound) & self.last.keys()
        new = found - self.needed
        self.needed |= new
        return bool(new)

    def kept(self, node: ast.stmt) -> bool:
        """Whether the statement is part of the result, once everything needed is known."""
        if isinstance(node, ast.Import | ast.ImportFrom):
            return True
        if isinstance(node, ast.Expr) or _is_main(node):
            return self.sets_up(node)
        if isinstance(node, ast.Assert):
            return False
        if isinstance(node, DEFINITION) and not node.decorator_list:
            return node.name in self.needed and (self.last[node.name] is node or not self._redefined(node.name))
        return bool(self.names[node][0] & self.needed) or self.sets_up(node)

    def sets_up(self, node: ast.stmt) -> bool:
        """Whether a statement may change a needed object that it does not bind (`memo.append(1)`, a loop over it)."""
        if isinstance(node, ast.Expr):
            return isinstance(node.value, ast.Call) and self._call_sets_up(node.value)
        if not isinstance(node, COMPOUND) or _is_main(node):
            return False
        _, used = self.names[node]
        if "input" in used:  # an example for a user at the keyboard, who is not there
            return False
        calls = (inner.value for inner in ast.walk(node) if isinstance(inner, ast.Expr))
        return bool(used & self.data & self.needed) or any(
            isinstance(call, ast.Call) and self._call_sets_up(call) for call in calls
        )

    def _call_sets_up(self, call: ast.Call) -> bool:
        arguments = [*call.args, *(keyword.value for keyword in call.keywords)]
        handed = {argument.id for argument in arguments if isinstance(argument, ast.Name)} & self.data & self.needed
        function = call.func
        if isinstance(function, ast.Attribute):
            owner = function.value.id if isinstance(function.value, ast.Name) else ""
            return function.attr == "setrecursionlimit" or owner in self.needed - NOT_DATA or bool(handed)
        if not isinstance(function, ast.Name) or function.id in self.entries:
            return False
        return (bool(handed) and function.id != "print") or self._fills(function.id)

    def _fills(self, name: str) -> bool:
        """Whether `name` is a function of the program that touches needed data, as one that builds a table does."""
        definition = self.last.get(name)
        if not isinstance(definition, FUNCTION):
            return False
        _, used = self.names[definition]
        return bool(used & self.data & self.needed) and "input" not in used

    def _redefined(self, name: str) -> bool:
        later = self.last[name]
        return isinstance(later, DEFINITION) and not later.decorator_list


def reachable(source: str, entries: Collection[str]) -> str:
    """The statements that the entry points need, as written; without a defined entry, all but example calls.

    source: a program; '' is returned for what is not Python. entries: names of functions. Of several definitions of a
    name the last one counts, as in Python.
    """
    tree = parse(source)
    if tree is None:
        return ""
    found = {node: names(node) for node in tree.body}
    last = {name: node for node, (bound, _) in found.items() if not isinstance(node, ast.Expr) for name in bound}
    plain = (node for node in tree.body if not isinstance(node, (*DEFINITION, ast.Import, ast.ImportFrom)))
    data = {name for node in plain for name in found[node][0]}
    wanted = {name for name in entries if name in last}
    program = _Program(found, last, data, wanted, set(wanted or last))
    while program.grow():
        pass
    return "\n".join(_source(source, node) for node in tree.body if program.kept(node))


def _is_main(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "__name__" in ast.unparse(node.test)


def _source(source: str, node: ast.stmt) -> str:
    first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
    whole = source.split("\n")[first - 1 : node.end_lineno]
    if ";" in "".join(whole) and len(whole) == 1:
        return ast.get_source_segment(source, node) or ""  # several statements on a line
    return "\n".join(whole)
