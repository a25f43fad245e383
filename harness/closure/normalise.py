"""Source code without what cannot change a result: comments, layout, docstrings, annotations and help texts.

The text is made from the syntax tree by hand: `ast.dump` and `ast.unparse` change with the version of Python, and a
key must not.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field

Chain = tuple[str, ...]
Import = tuple[str, str | None]  # (module, name in it); None: the module itself

HELP = {"help", "metavar", "epilog"}  # keyword arguments that only a reader sees
_SKIPPED = {"ctx", "kind", "type_comment", "type_ignores", "type_params", "returns", "lineno"}
_MODULE_NAME = re.compile(r"[a-z]\w*(\.\w+)+(:\w+)?", re.ASCII)
_FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass
class Definition:
    """A piece of code. text: normalised. names: dotted names it reads, as written. imports: what its own import
    statements bind. mentions: string constants that look like `package.module` or `package.module:name`.
    """

    text: str = ""
    names: set[Chain] = field(default_factory=set)
    imports: dict[str, Import] = field(default_factory=dict)
    mentions: set[str] = field(default_factory=set)


def definition(node: ast.AST, module: str, package: bool) -> Definition:
    """A statement of `module` as a Definition; package: the module is an `__init__.py`."""
    writer = _Writer(module, package)
    writer.write(node)
    writer.found.text = " ".join(writer.out)
    return writer.found


def imported(node: ast.Import | ast.ImportFrom, module: str, package: bool) -> dict[str, Import]:
    """The names that an import statement binds; `*` for a star import."""
    if isinstance(node, ast.Import):
        return {
            alias.asname or alias.name.partition(".")[0]: (
                alias.name if alias.asname else alias.name.partition(".")[0],
                None,
            )
            for alias in node.names
        }
    source = node.module or ""
    if node.level:
        parts = module.split(".")
        base = parts[: len(parts) - node.level + (1 if package else 0)]
        source = ".".join([*base, *([source] if source else [])])
    return {alias.asname or alias.name: (source, alias.name) for alias in node.names}


def has_no_effect(node: ast.AST) -> bool:
    """Whether a statement does nothing when it runs: `pass`, a docstring, a block for the type checker only."""
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant)
    if isinstance(node, ast.AnnAssign):
        return node.value is None
    return isinstance(node, ast.Pass) or type_checking(node)


def type_checking(node: ast.AST) -> bool:
    """Whether a statement is an `if TYPE_CHECKING:` without an else."""
    if not isinstance(node, ast.If) or node.orelse:
        return False
    test = node.test
    return (test.attr if isinstance(test, ast.Attribute) else getattr(test, "id", "")) == "TYPE_CHECKING"


class _Writer:
    def __init__(self, module: str, package: bool) -> None:
        self.module, self.package = module, package
        self.out: list[str] = []
        self.found = Definition()
        self.reading = True  # False inside annotations: their names are not followed

    def write(self, node: ast.AST) -> None:
        kind = type(node)
        if kind is ast.Name:
            self._name((node.id,))  # type: ignore[attr-defined]
        elif kind is ast.Attribute:
            self._attribute(node)  # type: ignore[arg-type]
        elif kind is ast.Constant:
            self._constant(node.value)  # type: ignore[attr-defined]
        elif kind is ast.arg:
            self.out.append(node.arg)  # type: ignore[attr-defined]
        elif kind is ast.AnnAssign:
            self._fields("Assign", {"targets": [node.target], "value": node.value})  # type: ignore[attr-defined]
        elif kind is ast.ClassDef:
            self._class(node)  # type: ignore[arg-type]
        elif kind is ast.Import or kind is ast.ImportFrom:
            self.found.imports |= imported(node, self.module, self.package)  # type: ignore[arg-type]
        else:
            self._fields(kind.__name__, {name: getattr(node, name, None) for name in kind._fields})

    def _fields(self, name: str, values: dict[str, object]) -> None:
        self.out.append(name + "(")
        for key, value in values.items():
            if value is None or value == [] or key in _SKIPPED:
                continue
            self.out.append(key)
            if isinstance(value, list):
                self._list(value)
            elif isinstance(value, ast.AST):
                self.write(value)
            else:
                self.out.append(ascii(value))
        self.out.append(")")

    def _list(self, values: list[object]) -> None:
        self.out.append("[")
        for value in values:
            if not isinstance(value, ast.AST):
                self.out.append(ascii(value))
            elif not (has_no_effect(value) or (isinstance(value, ast.keyword) and value.arg in HELP)):
                self.write(value)
        self.out.append("]")

    def _name(self, chain: Chain) -> None:
        self.out.append(".".join(chain))
        if self.reading:
            self.found.names.add(chain)

    def _attribute(self, node: ast.Attribute) -> None:
        parts, base = [node.attr], node.value
        while isinstance(base, ast.Attribute):
            parts.append(base.attr)
            base = base.value
        if isinstance(base, ast.Name):
            self._name((base.id, *reversed(parts)))
        else:
            self._fields("Attribute", {"value": node.value, "attr": node.attr})

    def _constant(self, value: object) -> None:
        self.out.append(ascii(value))
        if isinstance(value, str) and _MODULE_NAME.fullmatch(value):
            self.found.mentions.add(value)

    def _class(self, node: ast.ClassDef) -> None:
        """Annotations of a class body are kept, dataclasses read them, but what they name is not followed."""
        self._fields("ClassDef", {"name": node.name, "bases": node.bases, "keywords": node.keywords})
        self._list(list(node.decorator_list))
        for statement in node.body:
            if isinstance(statement, ast.AnnAssign):
                self.reading = False
                self.write(statement.annotation)
                self.reading = True
                self._name((ast.unparse(statement.target),))
                if statement.value is not None:
                    self.write(statement.value)
            elif not has_no_effect(statement):
                self.write(statement)
        self.out.append("end")
