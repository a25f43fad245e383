"""Wrong versions of right programs: the body replaced, one operator flipped; and a direct, unguarded run of them."""

from __future__ import annotations

import ast
import subprocess
import sys

FLIPPED: dict[type[ast.AST], type[ast.AST]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.Mod: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Lt: ast.GtE,
    ast.GtE: ast.Lt,
    ast.Gt: ast.LtE,
    ast.LtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.And: ast.Or,
    ast.Or: ast.And,
}


class _Flip(ast.NodeTransformer):
    """Flips the first operator that has an opposite."""

    done = False

    def generic_visit(self, node: ast.AST) -> ast.AST:
        if not self.done and type(node) in FLIPPED:
            self.done = True
            return FLIPPED[type(node)]()
        return super().generic_visit(node)


def flipped(source: str) -> str | None:
    """The program with its first operator flipped, None if it has none."""
    flip = _Flip()
    tree = flip.visit(ast.parse(source))
    return ast.unparse(tree) if flip.done else None


def emptied(source: str, entry: str) -> str:
    """The program whose entry point returns None."""
    tree = ast.parse(source)
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == entry:
            node.body = [ast.Return(ast.Constant(None))]
    return ast.unparse(ast.fix_missing_locations(tree))


END = "the end was reached"


def passes_directly(program: str, test: str, entry: str | None, timeout: float = 60.0) -> bool:
    """Whether program and test run through in one ordinary process, to the end: a program may `exit()` before a test.

    Only for programs of our own making.
    """
    call = f"\ncheck({entry})\n" if entry else "\n"
    limits = "import resource\nresource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))\n"
    source = f"{limits}exec(compile({program + chr(10) + test + call!r}, 'direct', 'exec'), {{}})\nprint({END!r})"
    command = [sys.executable, "-I", "-c", source]
    try:
        done = subprocess.run(command, capture_output=True, timeout=timeout, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0 and done.stdout.rstrip().endswith(END.encode())
