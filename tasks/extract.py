"""The one extractor of programs from generated text: fences, prose around code, broken tails, unreachable helpers.

`program(text, ...)` does what the reference repositories' `sanitize` does (first fence, longest stretch of lines that
parses, definitions that the entry point reaches), without its losses: functions without a `return`, assignments to
several names and statements that prepare a needed name are kept.
"""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Collection, Iterator

from tasks.reachable import FUNCTION, names, parse, reachable

LINES = 400  # a longer text is cut: no answer of the benchmarks is near it
DEFINES = re.compile(r"\s*[ \t](?:async|def|class|from|import|@)")  # an indented text that starts with a definition
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
        bool(text.strip()) and (text[0] in " \t\n" or parse(text) is not None) and parse(_under_def(text)) is not None
    )


def _under_def(text: str) -> str:
    first = next((line for line in text.split("\n") if line.strip()), "")
    return "def _():\n" + text if first[:1] in (" ", "\t") else text


def longest_program(source: str) -> str:
    """The longest contiguous stretch of lines that is Python (most non-blank lines; the first of equals), or ''."""
    lines = source.split("\n")[:LINES]
    if parse("\n".join(lines)) is not None:
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
            if lines[end - 1].strip() and parse("\n".join(lines[start:end])) is not None:
                best, span = size, (start, end)
                break
    return "\n".join(lines[span[0] : span[1]])


def candidates(text: str, prompt: str) -> Iterator[str]:
    """The sources a text may mean, best first: a fenced block (after the prompt, if one is completed), the text."""
    for part in [*blocks(text), text]:
        spaced = part.expandtabs(4)
        if prompt:
            sources = [part, spaced, *([textwrap.dedent(spaced)] if DEFINES.match(spaced) else [])]
        else:  # nothing stands before the text that it could belong under
            sources = [textwrap.dedent(source).lstrip() for source in (part, spaced)]
        for source in dict.fromkeys(sources):
            yield f"{prompt}\n{source}" if prompt and not _continues(prompt, source) else prompt + source


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
        tree = parse(found)
        assert tree is not None  # `found` is Python or empty
        body = tree.body
        if all(isinstance(node, ast.Expr) for node in body):
            continue
        if start and _body(found, entries) == given:
            continue  # nothing but the prompt's own stub was Python
        defined = {name for node in body for name in names(node)[0]}
        needed = reachable(found, [*entries, *also])
        if needed and (not entries or any(entry in defined for entry in entries)) and not _within_itself(body, entries):
            return needed
        fallback = fallback or needed
    return fallback or None  # a lone `return` or `assert` is Python, but no program


def _within_itself(body: list[ast.stmt], entries: Collection[str]) -> bool:
    """Whether an entry is defined inside itself: an indented repetition that was read as the rest of its prompt."""
    outer = [node for node in body if isinstance(node, FUNCTION) and node.name in entries]
    return any(isinstance(inner, FUNCTION) and inner.name == node.name for node in outer for inner in node.body)


def _body(source: str, entries: Collection[str]) -> str:
    tree = parse(reachable(source, entries))
    return "" if tree is None else ast.dump(tree)
