"""The one extractor of programs from generated text: fences, prose around code, broken tails, unreachable helpers.

`program(text, ...)` does what the reference repositories' `sanitize` does (first fence, longest stretch of lines that
parses, definitions that the entry point reaches), without its losses: functions without a `return`, assignments to
several names and statements that prepare a needed name are kept.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterator

LINES = 400  # a longer text is cut: no answer of the benchmarks is near it
FENCE = re.compile(r"^[ \t]*(```|~~~)[ \t]*([\w+-]*)[^\n]*$", re.MULTILINE)


def normalise(text: str) -> str:
    """Unix line ends, no byte-order mark, no NUL bytes (Python refuses them)."""
    return text.replace("\r\n", "\n").replace("\r", "\n").lstrip("\ufeff").replace("\0", "")


def blocks(text: str) -> list[str]:
    """The fenced blocks of a text, in order; an open last fence runs to the end, one that was opened before the text
    (by the prompt) runs from its start."""
    fences = list(FENCE.finditer(text))
    if not fences:
        return []
    found = []
    opened_before = not fences[0].group(2) and _looks_like_code(text[: fences[0].start()])
    if opened_before:
        found.append(text[: fences[0].start()])
        fences = fences[1:]
    for opening, closing in zip(fences[::2], [*fences[1::2], None], strict=False):
        found.append(text[opening.end() + 1 : closing.start() if closing else len(text)])
    return found


def _looks_like_code(text: str) -> bool:
    return (
        bool(text.strip()) and (text[0] in " \t\n" or _parse(text) is not None) and _parse(_under_def(text)) is not None
    )


def _under_def(text: str) -> str:
    first = next((line for line in text.split("\n") if line.strip()), "")
    return "def _():\n" + text if first[:1] in (" ", "\t") else text


def _parse(source: str) -> ast.Module | None:
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def longest_program(source: str) -> str:
    """The longest contiguous stretch of lines that is Python (most non-blank lines; the first of equals), or ''."""
    lines = source.split("\n")[:LINES]
    if _parse("\n".join(lines)) is not None:
        return "\n".join(lines)
    filled = [0]
    for line in lines:
        filled.append(filled[-1] + bool(line.strip()))
    best, span = 0, (0, 0)
    for start in range(len(lines)):
        if filled[-1] - filled[start] <= best:
            break
        if not lines[start].strip() or lines[start][0] in " \t)]}":
            continue
        for end in range(len(lines), start, -1):
            size = filled[end] - filled[start]
            if size <= best:
                break
            if lines[end - 1].strip() and _parse("\n".join(lines[start:end])) is not None:
                best, span = size, (start, end)
                break
    return "\n".join(lines[span[0] : span[1]])


def _names(node: ast.AST) -> tuple[set[str], set[str]]:
    """(names a top-level statement binds or changes, names it mentions)."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {node.name}, {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)}
    bound: set[str] = set()
    used: set[str] = set()
    for inner in ast.walk(node):
        if isinstance(inner, ast.Name):
            (bound if isinstance(inner.ctx, ast.Store | ast.Del) else used).add(inner.id)
        elif isinstance(inner, ast.Attribute | ast.Subscript) and isinstance(inner.ctx, ast.Store):
            bound |= {part.id for part in ast.walk(inner.value) if isinstance(part, ast.Name)}
        elif isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            bound.add(inner.name)
        elif isinstance(inner, ast.alias):
            bound.add((inner.asname or inner.name).split(".")[0])
    return bound, used


def _is_import(node: ast.AST) -> bool:
    return isinstance(node, ast.Import | ast.ImportFrom)


def _prepares(node: ast.AST, needed: set[str]) -> bool:
    """Whether an expression statement changes a needed object (`memo.append(1)`, `sys.setrecursionlimit(…)`)."""
    if not isinstance(node, ast.Expr) or not isinstance(node.value, ast.Call):
        return False
    function = node.value.func
    if not isinstance(function, ast.Attribute) or not isinstance(function.value, ast.Name):
        return False
    return function.attr == "setrecursionlimit" or function.value.id in needed - {"doctest", "unittest", "sys"}


def reachable(source: str, entries: Collection[str]) -> str:
    """The statements that the entry points need, as written; without a defined entry, all but example calls.

    Of several definitions of a name the last one counts, as in Python.
    """
    tree = _parse(source)
    if tree is None:
        return ""
    last = {name: node for node in tree.body if not isinstance(node, ast.Expr) for name in _names(node)[0]}
    wanted = [name for name in entries if name in last]
    needed, waiting = set(), list(wanted or last)
    while waiting:
        name = waiting.pop()
        if name in needed:
            continue
        needed.add(name)
        for node in tree.body:
            bound, used = _names(node)
            if name in bound and not _is_main(node):
                waiting += [other for other in used | bound if other in last and other not in needed]
    kept = [node for node in tree.body if _kept(node, needed, last)]
    return "\n".join(_source(source, node) for node in kept)


def _kept(node: ast.AST, needed: set[str], last: dict[str, ast.stmt]) -> bool:
    if _is_import(node):
        return True
    if isinstance(node, ast.Expr) or _is_main(node):
        return _prepares(node, needed)
    if isinstance(node, ast.Assert):
        return False
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and not node.decorator_list:
        return node.name in needed and (last[node.name] is node or not _plain_redefinition(node, last))
    return bool(_names(node)[0] & needed)


def _plain_redefinition(node: ast.AST, last: dict[str, ast.stmt]) -> bool:
    later = last[node.name]  # type: ignore[attr-defined]
    return isinstance(later, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and not later.decorator_list


def _is_main(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "__name__" in ast.unparse(node.test)


def _source(source: str, node: ast.AST) -> str:
    first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])  # type: ignore[attr-defined]
    whole = source.split("\n")[first - 1 : node.end_lineno]  # type: ignore[attr-defined]
    if ";" in "".join(whole) and len(whole) == 1:
        return ast.get_source_segment(source, node) or ""  # several statements on a line
    return "\n".join(whole)


def candidates(text: str, prompt: str) -> Iterator[str]:
    """The sources a text may mean, best first: a fenced block (after the prompt, if one is completed), the text."""
    joined = [*blocks(text), text]
    for part in joined:
        for source in (part, part.expandtabs(4)):
            yield f"{prompt}\n{source}" if prompt and not _continues(prompt, source) else prompt + source
            if source == part.expandtabs(4):
                break


def _continues(prompt: str, source: str) -> bool:
    return prompt.endswith("\n") or source.startswith("\n")


def program(text: str, entries: Collection[str] = (), prompt: str = "", also: Collection[str] = ()) -> str | None:
    """The program in a generated text, or None if there is none.

    text: what the model wrote. entries: the functions under test. prompt: code that the text continues or repeats
    (HumanEval). also: helper names that the test uses. A block that defines an entry wins over one that does not; the
    first wins among equals.
    """
    clean, start = normalise(text), normalise(prompt)
    if not clean.strip():
        return None
    given = _body(longest_program(start), entries) if start else None
    fallback = None
    for source in candidates(clean, start):
        found = longest_program(source)
        body = ast.parse(found).body  # `found` is Python or empty
        if all(isinstance(node, ast.Expr) for node in body):
            continue
        if start and _body(found, entries) == given:
            continue  # nothing but the prompt's own stub was Python
        defined = {name for node in body for name in _names(node)[0]}
        needed = reachable(found, [*entries, *also])
        if needed and (not entries or any(entry in defined for entry in entries)):
            return needed
        fallback = fallback or needed
    return fallback or None  # a lone `return` or `assert` is Python, but no program


def _body(source: str, entries: Collection[str]) -> str:
    return ast.dump(ast.parse(reachable(source, entries)))
