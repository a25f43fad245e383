"""Where the code of a generated text is: fenced blocks, and the markers that models glue to a line of code."""

from __future__ import annotations

import re
from collections import Counter

FENCE = re.compile(r"^[ \t]*(```|~~~)[ \t]*([\w+-]*)[ \t]*(.*)$")
PYTHON = r"(?:python3?|py3?|Python3?|code)"
_TOKEN = (
    r"<[|\uff5c][^<>\n]{1,40}[|\uff5c]>|</?s>|<(?:eos|bos|pad|unk|end_of_turn|start_of_turn|end_of_text|endoftext)>"
)
_END = re.compile(
    r"<\|(?:im_end|eot_id|eot|endoftext|end_of_text|end|eos)\|>|</s>|<(?:eos|end_of_turn|end_of_text|endoftext)>"
    r"|<[|\uff5c]end[^<>\n]{1,30}[|\uff5c]>"
)
_BRACKETS = re.compile(r"\[/?(PYTHON|CODE|DONE|END|BEGIN|EOS|ANSWER|SOLUTION)\](?![\"'),\]])")
_TAG = r"</?(?:code|pre|python|answer|solution)>"
MARKER = re.compile(rf"{_TOKEN}|{_TAG}|\\(?:begin|end)\{{(?:code|lstlisting|verbatim|python)\}}")
_GLUED = re.compile(rf"(?<=\S)[ \t]*(`{{3,}}|~{{3,}})[ \t]*(?:({PYTHON})[ \t]*(?=\n|$))?")
_QUOTED = re.compile(r"^> ?(?=```|~~~)", re.MULTILINE)
_QUOTE = re.compile(r"^> ?", re.MULTILINE)
_SESSION = re.compile(r"^>>> (?:async |def |class |import |from \w+ import|@)", re.MULTILINE)
_PROMPTS = re.compile(r"^(?:>>>|\.\.\.)(?: |$)", re.MULTILINE)
_INLINE = re.compile(r"`((?:def|class|import) [^`\n]+)`")
_ONE_LINE = re.compile(r"(?<=:)[ \t]+(?=def \w+\([^\n]*\)[^\n:]*:[ \t]*\S)")  # Here it is: def f(n): return n
_ODD_SPACE = re.compile(r"[\u00a0\u2000-\u200a\u202f\u205f\u3000]")
_INVISIBLE = re.compile(r"[\u200b-\u200f\u2060\ufeff]")


def normalise(text: str) -> str:
    """Unix line ends, no byte-order mark, no NUL bytes (Python refuses them)."""
    return text.replace("\r\n", "\n").replace("\r", "\n").lstrip("\ufeff").replace("\0", "")


def without_tags(text: str) -> str:
    """A text without tags such as `[PYTHON]` and `[DONE]`; `x[DONE]` would be Python. A name that is used stays."""
    words = Counter(re.findall(r"\w+", text))
    tags = Counter(match[1] for match in _BRACKETS.finditer(text))
    return _BRACKETS.sub(lambda match: match[0] if words[match[1]] > tags[match[1]] else "\n", text)


def separated(text: str) -> str:
    """A text with every marker on a line of its own, so that none takes a line of code with it.

    Fences stay as fences; special tokens spelled as text and tags such as `</code>` become line ends, and what
    follows an end-of-text token is dropped. Block-quote marks and the prompts of an interactive session (`>>>`) are
    taken off the code, and a one-line function behind prose gets a line of its own. No-break spaces, which Python
    refuses, become spaces; invisible ones go.
    """
    end = next((match.start() for match in _END.finditer(text) if text[: match.start()].strip()), len(text))
    text = text[:end]
    text = _INVISIBLE.sub("", _ODD_SPACE.sub(" ", text))
    text = MARKER.sub("\n", text)
    if _QUOTED.search(text):
        text = _QUOTE.sub("", text)
    if _SESSION.search(text):
        text = _PROMPTS.sub("", text)
    text = _ONE_LINE.sub("\n", _INLINE.sub(r"\n\1\n", text))
    return _GLUED.sub(lambda match: f"\n{match[1][:3]}{match[2] or ''}" + ("" if match[2] else "\n"), text)


def blocks(text: str) -> list[str]:
    """The fenced blocks of a text, in order; an open last fence runs to the end.

    A fence without a language that is the first one, behind code, closes a block which the prompt opened. A fence that
    names a language opens a block even where the last one was not closed.
    """
    from tasks.reachable import looks_like_code

    found: list[str] = []
    lines: list[str] = []
    opened = first = True
    fence: str | None = None
    for line in text.split("\n"):
        match = FENCE.match(line)
        if match is None or (fence and match[1] != fence):
            lines.append(line)
            continue
        before, lines = lines, []
        names = bool(match[2]) and not match[3]
        if fence is not None:
            found.append(_joined(before))
            opened = names
        elif first and not match[2] and looks_like_code("\n".join(before)):
            found.append(_joined(before))
            opened = False
        else:
            opened = True
        fence, first = (match[1] if opened else None), False
        if opened and match[2] and match[3]:  # code on the line of its fence
            lines.append(match[3])
    if fence is not None:
        found.append("\n".join(lines))
    return found


def _joined(lines: list[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
