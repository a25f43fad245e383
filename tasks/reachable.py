"""Which top-level statements of a program its entry points need: definitions, data, and what fills that data."""

from __future__ import annotations

import ast
import builtins
import symtable
import sys
import warnings
from collections.abc import Collection
from dataclasses import dataclass
from threading import Lock

FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef)
DEFINITION = (*FUNCTION, ast.ClassDef)
COMPOUND = (ast.For, ast.While, ast.With, ast.Try, ast.If)
# what looks names up while the program runs: then everything may be needed
DYNAMIC = {"globals", "locals", "vars", "eval", "exec", "__import__", "inspect", "importlib"}
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


def error_line(source: str) -> int | None:
    """The line, from 1, at which a source stops being Python; None if it is, or if there is no telling."""
    try:
        with PARSING:
            ast.parse(source)
    except SyntaxError as error:
        return error.lineno
    except (ValueError, RecursionError, MemoryError):
        pass
    return None


def compiles(node: ast.stmt) -> bool:
    """Whether Python allows this statement at top level: a `return` outside a function parses but does not compile."""
    try:
        with PARSING, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(ast.Module(body=[node], type_ignores=[]), "<answer>", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def looks_like_code(text: str) -> bool:
    """Whether a text is Python, or the body of a function."""
    if not text.strip() or not (text[0] in " \t\n" or parse(text) is not None):
        return False
    first = next(line for line in text.split("\n") if line.strip())
    return parse("def _():\n" + text if first[:1] in (" ", "\t") else text) is not None


def names(node: ast.stmt) -> tuple[set[str], set[str]]:
    """(names a top-level statement binds or changes, names of the module it looks up)."""
    used = _looked_up(node)
    if isinstance(node, DEFINITION):
        return {node.name}, used
    bound: set[str] = set()
    for inner in ast.walk(node):
        if isinstance(inner, ast.Name):
            if isinstance(inner.ctx, ast.Store | ast.Del):
                bound.add(inner.id)
        elif isinstance(inner, ast.Attribute | ast.Subscript) and isinstance(inner.ctx, ast.Store):
            bound |= {part.id for part in ast.walk(inner.value) if isinstance(part, ast.Name)}
        elif isinstance(inner, DEFINITION):
            bound.add(inner.name)
        elif isinstance(inner, ast.alias):
            bound.add((inner.asname or inner.name).split(".")[0])
    return bound, used


def _looked_up(node: ast.stmt) -> set[str]:
    """The names of the module that a statement mentions: not the parameters and local variables of its functions."""
    mentioned = {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)}
    try:
        with PARSING:
            table = symtable.symtable(ast.unparse(node), "<answer>", "exec")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return mentioned
    tables, found = [table], mentioned & DYNAMIC
    while tables:
        table = tables.pop()
        tables += table.get_children()
        outside = table.get_type() != "function"  # in a class body a name may be the module's until it is bound
        found |= {one.get_name() for one in table.get_symbols() if one.is_global() or (outside and one.is_referenced())}
    return found & mentioned | _declared_global(node)


def _declared_global(node: ast.AST) -> set[str]:
    return {name for inner in ast.walk(node) if isinstance(inner, ast.Global) for name in inner.names}


@dataclass
class _Program:
    """A program's statements with their names, and what of it is needed so far.

    last: name -> the statement that binds it last, as in Python the one that counts. data: names that are bound
    otherwise than by a definition or an import, so that later statements may fill them. imported: names that imports
    bind: their objects know nothing of this program.
    """

    names: dict[ast.stmt, tuple[set[str], set[str]]]
    last: dict[str, ast.stmt]
    data: set[str]
    imported: set[str]
    entries: set[str]
    needed: set[str]

    def grow(self) -> bool:
        """Add what the needed statements need; False when nothing is new."""
        found = set[str]()
        for node, (bound, used) in self.names.items():
            if (bound & self.needed and not _is_main(node)) or self.sets_up(node):
                found |= (used | bound) & self.last.keys()
        if any(used & DYNAMIC for bound, used in self.names.values() if bound & self.needed):
            found = set(self.last)
        new = found - self.needed
        self.needed |= new
        return bool(new)

    def kept(self, node: ast.stmt) -> bool:
        """Whether the statement is part of the result, once everything needed is known."""
        if isinstance(node, ast.Import | ast.ImportFrom):
            return bool(self.names[node][0] & self.needed) or (_is_star(node) and self._needs_star(node))
        if isinstance(node, ast.Expr) or _is_main(node):
            return self.sets_up(node)
        if isinstance(node, ast.Assert):
            return False
        if isinstance(node, DEFINITION) and not node.decorator_list and node.name in self.needed:
            return self.last[node.name] is node or not self._redefined(node.name)
        return bool(self.names[node][0] & self.needed) or self.sets_up(node)

    def _needs_star(self, node: ast.stmt) -> bool:
        """Whether `from module import *` may matter: the module is Python's own, or nothing else binds a used name."""
        if str(getattr(node, "module", "")).partition(".")[0] in {*sys.stdlib_module_names, "numpy"}:
            return True
        used = {name for bound, used in self.names.values() if bound & self.needed for name in used}
        return bool(used & DYNAMIC) or any(name not in self.last and not hasattr(builtins, name) for name in used)

    def sets_up(self, node: ast.stmt) -> bool:
        """Whether a statement may change a needed object that it does not bind (`memo.append(1)`, a loop over it)."""
        if isinstance(node, DEFINITION):
            return self._registers(node)
        if isinstance(node, ast.Expr):
            looped = isinstance(node.value, ast.ListComp | ast.GeneratorExp)
            parts = list(ast.walk(node.value)) if looped else [node.value]
            return any(isinstance(part, ast.Call) and self._call_sets_up(part) for part in parts)
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
        if not isinstance(function, ast.Name):
            return isinstance(function, ast.Call) and self._call_sets_up(function)  # register("name")(helper)
        if function.id in self.entries:
            return False
        if function.id in ("setattr", "delattr") and call.args:
            return bool({part.id for part in ast.walk(call.args[0]) if isinstance(part, ast.Name)} & self.needed)
        return (bool(handed) and function.id != "print") or self._fills(function.id)

    def _registers(self, node: ast.stmt) -> bool:
        """Whether a definition that nothing names reaches a needed object: by its decorator, base or metaclass."""
        for decorator in getattr(node, "decorator_list", []):
            called = {part.id for part in ast.walk(decorator) if isinstance(part, ast.Name)}
            own = called & self.last.keys()
            if own & self.needed - self.imported or any(self._fills(name) for name in own):
                return True
        parents = [*getattr(node, "bases", []), *(keyword.value for keyword in getattr(node, "keywords", []))]
        named = {part.id for parent in parents for part in ast.walk(parent) if isinstance(part, ast.Name)}
        return any(isinstance(self.last.get(name), ast.ClassDef) for name in named & self.needed)

    def _fills(self, name: str, seen: frozenset[str] = frozenset()) -> bool:
        """Whether `name` is a function of the program that touches needed data, as one that builds a table does.

        So does one that calls such a function, and a class whose methods do.
        """
        definition = self.last.get(name)
        if not isinstance(definition, DEFINITION) or name in seen:
            return False
        _, used = self.names[definition]
        if "input" in used:
            return False
        called = {other for other in used - self.entries if isinstance(self.last.get(other), FUNCTION)}
        return bool(used & self.data & self.needed) or any(self._fills(other, seen | {name}) for other in called)

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
    body = [node for node in tree.body if compiles(node)]
    found = {node: names(node) for node in body}
    last = {name: node for node, (bound, _) in found.items() if not isinstance(node, ast.Expr) for name in bound}
    plain = (node for node in body if not isinstance(node, (*DEFINITION, ast.Import, ast.ImportFrom)))
    declared = {name: node for node in body for name in _declared_global(node)}  # K in `def setup(): global K; K = 2`
    last = {**declared, **last}
    data = {name for node in plain for name in found[node][0]} | set(declared)
    imported = {name for name, node in last.items() if isinstance(node, ast.Import | ast.ImportFrom)}
    wanted = {name for name in entries if name in last}
    program = _Program(found, last, data, imported, wanted, set(wanted or last))
    while program.grow():
        pass
    kept = [node for node in body if _is_future(node) or program.kept(node)]
    if all(map(_is_future, kept)):
        return ""
    kept.sort(key=lambda node: not _is_future(node))  # behind another import of the prompt they would be errors
    return "\n".join(_source(source, node) for node in kept)


def _is_future(node: ast.stmt) -> bool:
    return isinstance(node, ast.ImportFrom) and node.module == "__future__"


def _is_star(node: ast.stmt) -> bool:
    return isinstance(node, ast.ImportFrom) and any(alias.name == "*" for alias in node.names)


def _is_main(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "__name__" in ast.unparse(node.test)


def _source(source: str, node: ast.stmt) -> str:
    first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
    whole = source.split("\n")[first - 1 : node.end_lineno]
    if ";" in "".join(whole) and len(whole) == 1:
        return ast.get_source_segment(source, node) or ""  # several statements on a line
    return "\n".join(whole)
