"""Numbers and rows as text: rounding, CSV, Markdown, LaTeX (booktabs). Every cell is escaped for its format."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

MISSING = "–"
# what makes a link in Markdown, and what readers of it turn into one by themselves
_LINK = re.compile(r"\]([(\[:])")
_ACTIVE = {"://": "&#58;//", "www.": "www&#46;", "mailto:": "mailto&#58;", "@": "&#64;"}
_TEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "–": "--",
    "±": r"$\pm$",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
}


def rounded(value: float, decimals: int = 2) -> float:
    """`value` rounded half up, as people and papers do (61.645 -> 61.65 although its float is a hair below).

    >>> rounded(61.645), rounded(257.0465)
    (61.65, 257.05)
    """
    step = Decimal(1).scaleb(-decimals)
    return float(Decimal(repr(round(value, 9))).quantize(step, rounding=ROUND_HALF_UP))


def number(value: float | None, decimals: int = 2) -> str:
    """`value` with so many decimals, or a dash where there is none.

    >>> number(61.645), number(None)
    ('61.65', '–')
    """
    if value is None or not math.isfinite(value):
        return MISSING
    return f"{rounded(value, decimals):.{decimals}f}"


def interval(low: float | None, high: float | None) -> str:
    """What follows a number: its interval in brackets, or nothing.

    >>> interval(61.645, 70), interval(None, None)
    (' [61.65, 70.00]', '')
    """
    return f" [{number(low)}, {number(high)}]" if low is not None and high is not None else ""


def cell(value: Any) -> str:
    """A CSV cell: empty for None, 0 or 1 for a bool, the shortest exact text for a float."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return ""
    if isinstance(value, bool):
        return str(int(value))
    return repr(value) if isinstance(value, float) else str(value)


def to_csv(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> str:
    """CSV text with a header line; text cells that a spreadsheet would run as a formula get an apostrophe."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_defused(row[name]) for name in columns])
    return out.getvalue()


def _defused(value: Any) -> str:
    text = cell(value)
    return f"'{text}" if isinstance(value, str) and text[:1] in ("=", "+", "-", "@") else text


def to_markdown(header: Sequence[str], rows: Iterable[Sequence[str]], left: int = 1) -> str:
    """A Markdown table; the first `left` columns are aligned left, the others right. Cells may hold `**bold**`."""
    lines = [header, ["---" if i < left else "---:" for i in range(len(header))]]
    body = [[markdown_text(text) for text in row] for row in rows]
    return "\n".join("| " + " | ".join(row) + " |" for row in [*lines, *body]) + "\n"


def markdown_text(text: str) -> str:
    """Text that cannot leave its table cell, become HTML or an active link, or carry control characters.

    >>> markdown_text("[here](javascript:x) https://example.org")
    '[here]\\\\(javascript:x) https&#58;//example.org'
    """
    safe = text.replace("&", "&amp;").replace("<", "&lt;").replace("|", "\\|")
    safe = _LINK.sub(r"]\\\1", safe)
    for start, shown in _ACTIVE.items():
        safe = re.sub(re.escape(start), shown, safe, flags=re.IGNORECASE)
    safe = " ".join(safe.split())
    return "".join(c if c.isprintable() else ascii(c)[1:-1].replace("\\", "&#92;") for c in safe)


def latex_text(text: str) -> str:
    """Text with LaTeX's special characters escaped; `**bold**` becomes \\textbf.

    >>> latex_text("**qwen2.5_7b**")
    '\\\\textbf{qwen2.5\\\\_7b}'
    """
    bold = len(text) > 4 and text.startswith("**") and text.endswith("**")
    plain = "".join(_TEX.get(char, char) for char in (text[2:-2] if bold else text))
    return rf"\textbf{{{plain}}}" if bold else plain


def latex_label(text: str) -> str:
    """Text as a part of a \\label: letters, digits and dashes."""
    return "".join(char if char.isalnum() and char.isascii() else "-" for char in text)


def to_latex(
    header: Sequence[str], rows: Iterable[Sequence[str]], caption: str, label: str, left: int = 1, groups: str = ""
) -> str:
    """A booktabs table environment. `groups`: a ready line of \\multicolumn heads above the header, or ""."""
    columns = "l" * left + "r" * (len(header) - left)
    body = "\n".join(" & ".join(map(latex_text, row)) + r" \\" for row in rows)
    head = " & ".join(map(latex_text, header)) + r" \\"
    return "\n".join(
        [
            r"% needs \usepackage{booktabs,graphicx}",
            r"\begin{table}[t]",
            r"\centering",
            rf"\caption{{{latex_text(caption)}}}",
            rf"\label{{{label}}}",
            r"\resizebox{\linewidth}{!}{%",
            rf"\begin{{tabular}}{{{columns}}}",
            r"\toprule",
            *([groups] if groups else []),
            head,
            r"\midrule",
            body,
            r"\bottomrule",
            r"\end{tabular}}",
            r"\end{table}",
            "",
        ]
    )
