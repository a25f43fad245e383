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
from typing import NamedTuple

from tasks.fences import blocks, normalise, separated, without_tags
from tasks.reachable import FUNCTION, error_line, names, parse, reachable

ACTS = (ast.Call, ast.Yield, ast.YieldFrom, ast.Await, ast.NamedExpr)
LINES = 400  # a longer text is cut: no answer of the benchmarks is near it
DEFINES = re.compile(r"\s*[ \t](?:async|def|class|from|import|@)")  # an indented text that starts with a definition


def longest_program(source: str) -> str:
    """The longest contiguous stretch of lines that is Python (most non-blank lines; the first of equals), or ''."""
    lines = source.split("\n")[:LINES]
    if parse("\n".join(lines)) is not None:
        return "\n".join(lines)
    start, end = _longest_stretch(lines)
    return "\n".join(lines[start:end])


def _longest_stretch(lines: list[str]) -> tuple[int, int]:
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
    return span


BEGINS = re.compile(r"(?:async |def |class |import |from \w+ import|@)")
STATES = re.compile(
    r"\s*(?:return\b|yield\b|raise\b|pass\b|break\b|continue\b|[\w.\[\]'\", ]+?\s*[-+*/|&%]?=[^=]|[\w.]+\(.*\)$)"
)
RETURNS = re.compile(r"^\s*(?:return|yield) +\S", re.MULTILINE)
_JOINS = re.compile(r"\s(?:is|and|or|in|not|if|for|as)(?:\s+([A-Za-z_]\w*))?$")
_SLASHES = re.compile(r"\s+//\s+(?=[A-Za-z]+\s[A-Za-z])")  # another language's comment
TAILS = 8  # statements with prose behind them that are looked at


def without_tails(source: str) -> str:
    """A source without the prose that follows its statements on the same lines."""
    lines = source.split("\n")[:LINES]
    start = next((place for place, line in enumerate(lines) if BEGINS.match(line)), 0)
    for _ in range(TAILS):
        wrong = error_line("\n".join(lines[start:]))
        if wrong is None or start + wrong > len(lines):
            break
        place = start + wrong - 1
        code = _code_of(lines[place], lines[start:place])
        if code is None:
            break
        lines[place] = code
    return "\n".join(lines)


def _code_of(line: str, before: list[str]) -> str | None:
    """The code at the beginning of a line that ends in prose, so that it continues `before`; None if it has none."""
    cuts = [match.start() for match in re.finditer(r"\s+(?=\S)", line) if line[: match.start()].strip()]
    known = {*re.findall(r"\w+", "\n".join(before)), "True", "False", "None"}
    sentences = [
        cut for cut in cuts if (word := re.match(r"\s+([A-Z][a-z]*)\b(?![(.\[_])", line[cut:])) and word[1] not in known
    ]
    slashes = [match.start() for match in _SLASHES.finditer(line)]
    for cut in [*slashes, *sentences, *reversed(cuts)]:
        whole = line[:cut].rstrip()
        code = next((one for one in (whole, whole.rstrip(".,:;!")) if parse("\n".join([*before, one])) is not None), "")
        if not STATES.match(code):
            continue
        while (join := _JOINS.search(code)) and (join[1] is None or join[1] not in known):
            code = code[: join.start()].rstrip()  # `return m is the result`
        return code[:-1] if re.search(r"\d\.$", code) else code
    return None


def candidates(text: str, prompt: str) -> Iterator[str]:
    """The sources a text may mean, best first: a fenced block (after the prompt, if one is completed), the text."""
    for part in [*blocks(text), text]:
        spaced = part.expandtabs(4)
        if prompt:
            sources = [part, spaced, *([textwrap.dedent(spaced)] if DEFINES.match(spaced) else _indented(spaced))]
        else:  # nothing stands before the text that it could belong under
            sources = [textwrap.dedent(source).lstrip() for source in (part, spaced)]
        for source in dict.fromkeys(sources):
            yield f"{prompt}\n{source}" if prompt and not _continues(prompt, source) else prompt + source


def _indented(source: str) -> Iterator[str]:
    """A function's body that lost its indentation: all of it, or that of its first line."""
    lines = source.strip("\n").split("\n")
    if not lines[0].strip() or lines[0][0] == " " or not RETURNS.search(source):
        return
    following = next((line for line in lines[1:] if line.strip()), "")
    if depth := len(following) - len(following.lstrip()):
        yield " " * depth + "\n".join(lines)
    yield textwrap.indent("\n".join(lines), "    ")


def _continues(prompt: str, source: str) -> bool:
    return prompt.endswith("\n") or source.startswith("\n")


class _Found(NamedTuple):
    """A program: whether its source was Python as it stood, and whether it defines what is tested."""

    source: str
    whole: bool
    defines: bool

    @property
    def rank(self) -> tuple[bool, int]:
        return self.defines, sum(bool(line.strip()) for line in self.source.split("\n"))


def program(text: str, entries: Collection[str] = (), prompt: str = "", also: Collection[str] = ()) -> str | None:
    """The program in a generated text, or None if there is none.

    text: what the model wrote. entries: the functions under test. prompt: code that the text continues or repeats
    (HumanEval). also: helper names that the test uses. A block that defines an entry wins over one that does not; the
    first wins among equals. The text is read unchanged; if that is not Python, also with its markers on lines of
    their own (`tasks.fences.separated`), then without the prose after a statement; the reading with most lines counts.
    """
    clean, start = without_tags(normalise(text)), normalise(prompt)
    if not clean.strip():
        return None
    found: _Found | None = None
    apart = separated(clean)
    for reading, cut in dict.fromkeys([(clean, False), (apart, False), (apart, True)]):
        other = _read(reading, entries, start, also, cut)
        if other and (found is None or other.rank > found.rank):
            found = other
        if found and found.whole and found.defines:
            break
    return found.source if found else None


def _read(text: str, entries: Collection[str], prompt: str, also: Collection[str], cut: bool) -> _Found | None:
    given = _body(longest_program(prompt), entries) if prompt else None
    fallback = None
    for source in candidates(text, prompt):
        found = longest_program(without_tails(source) if cut else source)
        tree = parse(found)
        assert tree is not None  # `found` is Python or empty
        body = tree.body
        if all(isinstance(node, ast.Expr) for node in body):
            continue
        if prompt and _body(found, entries) == given:
            continue  # nothing but the prompt's own stub was Python
        defined = {name for node in body for name in names(node)[0]}
        needed = reachable(found, [*entries, *also])
        defines = not entries or any(entry in defined for entry in entries)
        if needed and defines and not _within_itself(body, entries):
            return _Found(needed, found.strip() == source.strip(), True)
        fallback = fallback or (_Found(needed, False, False) if needed else None)
    return fallback  # a lone `return` or `assert` is Python, but no program


def _within_itself(body: list[ast.stmt], entries: Collection[str]) -> bool:
    """Whether an entry is defined inside itself: an indented repetition that was read as the rest of its prompt."""
    outer = [node for node in body if isinstance(node, FUNCTION) and node.name in entries]
    return any(isinstance(inner, FUNCTION) and inner.name == node.name for node in outer for inner in node.body)


def _body(source: str, entries: Collection[str]) -> str:
    """What the needed statements do, without those that do nothing (docstrings, words that parse as names)."""
    tree = parse(reachable(source, entries))
    if tree is None:
        return ""
    for node in ast.walk(tree):
        if isinstance(node, FUNCTION):
            node.body = [part for part in node.body if not _is_idle(part)]
    return ast.dump(tree)


def _is_idle(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and not any(isinstance(part, ACTS) for part in ast.walk(node))
