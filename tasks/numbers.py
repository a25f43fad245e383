"""Numbers as people and models write them: `1,500`, `1{,}500`, `\\$29.00`, `\\frac{1}{2}`, `2 1/2`, `1.5 million`.

Everything is exact: a number is a `Fraction`, and all spellings of one value are equal.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from fractions import Fraction

SCALES = {"hundred": 100, "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
)
_TENS = "ten twenty thirty forty fifty sixty seventy eighty ninety"
LONGEST = 200  # digits: what is longer is a model in a loop
WORDS = {word: value for value, word in enumerate(_ONES.split())} | {
    word: 10 * tens for tens, word in enumerate(_TENS.split(), start=1)
}
SPELLED = re.compile(  # not the pronoun: "the answer is one of these"
    rf"(?!one\b(?!\s*(?:[.!*]|$)))(?:{'|'.join(WORDS)})\b(?:[\s-]+(?:and\s)?(?:{'|'.join([*WORDS, *SCALES])})\b)*",
    re.IGNORECASE,
)

_INTEGER = (
    r"(?:\d{1,3}(?:,\d{3})+(?!\d)|\d{1,3}(?:[ ']\d{3})+(?!\d)|\d{1,2}(?:,\d{2})+,\d{3}(?!\d)|\d+)"  # the third: lakh
)
_DECIMAL = rf"(?:{_INTEGER}(?:\.\d+)?|(?<![.\w])\.\d+)"
NUMBER = re.compile(
    r"(?:(?<![\w)}\]%.!-])(?P<sign>[-+])(?=[\d.])|(?<![A-Za-z\d_^])(?<!\d\.)(?=[\d.]))(?:"
    r"(?P<hour>\d{1,2}):(?P<minutes>\d\d)(?!\d)"
    r"|(?P<whole>\d+)[ \t]{1,3}(?:and[ \t]{1,3})?(?P<top>\d+)\s?/\s?(?P<bottom>\d+)(?!\d|\.\d)"
    rf"|(?P<over>{_DECIMAL})\s?/\s?(?P<under>{_DECIMAL})(?!\d)"
    r"|(?<!\d,)(?P<comma>\d+,\d{1,2}|\d{1,3}(?:\.\d{3})+,\d{1,2})(?![,\d])"
    r"|(?P<dots>\d{1,3}(?:\.\d{3}){2,})(?![.,]?\d)"
    rf"|(?P<plain>{_DECIMAL})(?:\s?[x*]\s?10\s?\^\s*(?P<power>[-+]?\d{{1,2}})(?!\d)"
    r"|[eE](?P<exponent>[-+]?\d{1,2})(?![\w.]))?"
    rf")(?:\s{{0,3}}-?(?P<scale>{'|'.join(SCALES)})s?\b)?",
    re.IGNORECASE,
)

_CURRENCY = r"(?:\\?\$|\\(?:pounds|euro|yen|textdollar|textsterling|texteuro)\b|[\u00a3-\u00a5\u20a0-\u20bf])"
_STYLES = (
    r"\\(?:text|textbf|textit|textrm|textsf|texttt|textnormal|mathrm|mathbf|mathit|mathsf|mathtt|boldsymbol|bm|pmb|emph"
    r"|underline|mbox|hbox|operatorname|displaylimits|color\s*\{\w+\}|textcolor\s*\{\w+\}|[hv]?phantom)\s*\{([^{}]*)\}"
)
_FRACTION = r"\\[dtc]?frac\s*(?:\{\s*([^{}]*?)\s*\}|(\d))\s*(?:\{\s*([^{}]*?)\s*\}|(\d))"
Step = tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]]


def _steps(*steps: tuple[str, str | Callable[[re.Match[str]], str]]) -> tuple[Step, ...]:
    return tuple((re.compile(pattern), into) for pattern, into in steps)


def _fraction(match: re.Match[str]) -> str:
    top, bottom = (match[1] if match[2] is None else match[2]), (match[3] if match[4] is None else match[4])
    return f" {top}/{bottom} "


_CHARACTERS = str.maketrans(dict.fromkeys("\u2212\u2010\u2011\u2012\u2013\ufe63", "-") | {"\u2019": "'", "\u066c": ","})
_BEFORE = _steps(
    (r"[\u200b-\u200f\u2060\ufeff]", ""),  # invisible characters
    (r"[\u00b2\u00b3\u00b9\u2070-\u207f]+", ""),  # exponents of units, footnotes
    (r"[\u00bc-\u00be\u2150-\u215e]", lambda match: " " + unicodedata.normalize("NFKC", match[0])),  # 2½
)
_LATEX = _steps(
    (r"\u2044", "/"),
    (
        r"(?<=\d)(?:\\!)*(?:\{\s*\\?,\s*\}|\\text\s*\{\s*,\s*\}|\\,|(?<=\\!),|,(?=\s?\\!))(?:\s?\\!)*\s?(?=\d{3})",
        ",",
    ),  # thousands separators
    (
        r"\\(?:color|fontsize)\s*\{\w+\}|\\(?:tiny|small|normalsize|large|Large|LARGE|huge|Huge|bfseries)(?![A-Za-z])",
        " ",
    ),
    (r"\\[ ;:!>,]|(?<!\\)~|\\q?quad\b|\\[()\[\]]|\\(?:left|right|displaystyle|textstyle|bf|rm)(?![A-Za-z])", " "),
    (r"\\(?:times|cdot|ast)\b|\u00d7|\u22c5", "*"),
    (r"\\div\b|\u00f7", "/"),
    (r"\\(?:approx|simeq|sim|implies|to|Rightarrow|rightarrow|equiv)\b|[\u2248\u2192\u21d2]", " = "),
    (r"\\(?:[lc]?dots|checkmark|therefore|square|blacksquare|qed|newline)\b|\\\\", " "),
    (r"\^?\s*\{?\s*\\(?:circ|degree)\b\s*\}?|\u00b0", " "),
)
_NESTED = _steps((_STYLES, r" \1 "), (_FRACTION, _fraction))
_AFTER = _steps(
    (
        r"\^\s*\{?\s*(?:st|nd|rd|th)\b\s*\}?|(?<=\d)\s*\\over(?![A-Za-z])\s*(?=\d)",
        lambda match: "/" if "over" in match[0] else " ",
    ),
    (r"(?:\bnegative|(?:^|(?<=[=:({])|(?<=\bis))\s*\bminus)\s+(?=\$?[\d.])", " -"),
    (r"(?<=[A-Za-z}])\s*\^\s*(?:\{\s*[-+]?\d+\s*\}|[-+]?\d+)", " "),  # exponents of units and of variables
    (rf"({_CURRENCY}\s?[\d.,]*\d)\s?[kK]\b", r"\1 thousand"),
    (rf"({_CURRENCY}\s?[\d.,]*\d)\s?M\b", r"\1 million"),
    (rf"(?<!\S)([-+]){_CURRENCY}\s?(?=[\d.])|(?<=[({{$=:])([-+]){_CURRENCY}\s?(?=[\d.])", r"\1\2"),  # -$5
    (rf"{_CURRENCY}|\b(?:Rs|INR|USD|EUR|GBP|US)\b\.?(?=\s?\d)|[\"`\u201c\u201d]", " "),
    (r"\\?%", "%"),
    (
        r"\*\*+|__+|(?<![\w*)\s])\*(?=\S)|(?<![^\s])\*(?=[^\s*])|(?<=[\w.%)])\*(?!\s?[\w(.])|(?<!\w)_(?=\S)",
        "",
    ),  # Markdown
    (r"[{}]", " "),
    (r"(?<==)\s*([-+])\s+(?=[\d.])", r" \1"),
)


def plain(text: str) -> str:
    """A text without what only changes how a number looks: LaTeX, currency signs, Markdown emphasis, unit exponents."""
    text = text.translate(_CHARACTERS)
    for pattern, into in _BEFORE:
        text = pattern.sub(into, text)
    text = unicodedata.normalize("NFKC", text)
    for pattern, into in _LATEX:
        text = pattern.sub(into, text)
    for _ in range(4):  # styles within styles
        before = text
        for pattern, into in _NESTED:
            text = pattern.sub(into, text)
        if text == before:
            break
    for pattern, into in _AFTER:
        text = pattern.sub(into, text)
    return text


def value(match: re.Match[str]) -> Fraction | None:
    """The value of a match of `NUMBER`; None for a time of day that is not a full hour, and for a division by zero.

    None too for a number too long to be meant.
    """
    try:
        found = _value(match)
    except (ZeroDivisionError, ValueError):
        return None
    if found is None:
        return None
    found *= SCALES[match["scale"].lower()] if match["scale"] else 1
    return -found if match["sign"] == "-" else found


def _value(match: re.Match[str]) -> Fraction | None:
    if match["hour"] is not None:
        return Fraction(match["hour"]) if match["minutes"] == "00" else None
    if match["whole"] is not None:
        part = Fraction(int(match["top"]), int(match["bottom"]))
        return part + int(match["whole"]) if part < 1 else part
    if match["over"] is not None:
        return _digits(match["over"]) / _digits(match["under"])
    if match["comma"] is not None:
        return Fraction(match["comma"].replace(".", "").replace(",", "."))
    if match["dots"] is not None:
        return Fraction(match["dots"].replace(".", ""))
    return _digits(match["plain"]) * Fraction(10) ** int(match["power"] or match["exponent"] or 0)


def _digits(text: str) -> Fraction:
    if len(text) > LONGEST:
        raise ValueError(f"{len(text)} digits")
    return Fraction(re.sub(r"[ ,']", "", text))


# "18 dollars for 6 people": the number behind such a word is of something else
_ASIDE = re.compile(
    r"\b(?:in|per|for|every|each|after|within|at|of|from|by|over|with|on)\s(?:(?:the|all|these|those|her|his|their|each|day|week|"
    rf"month|year)\s)*{NUMBER.pattern.replace('(?P<', '(?P<aside_')}",
    re.IGNORECASE,
)


_ALSO = re.compile(r"(?:[,;]\s|\band\b|\bor\b)(?!\s*\d[\d.,]*\s?[-+*/])")
_PART = re.compile(r"\s(?:and\sa\s)?(?:half|halves|(?:third|fourth|fifth|sixth|eighth|tenth)s?)\b", re.IGNORECASE)


def number(text: str) -> Fraction | None:
    """The one number that an expression states, None if it states none or several: `x = 18`, `18\\text{ apples}`.

    Units and words do not matter, nor does a side remark (`18 in 2 boxes`); of an equation the last side counts. A
    sum or product that is not worked out states none.
    """
    spaced = re.sub(r"[ \t]+", " ", plain(text))
    sides = re.sub(r"(?<=\d), (?=\d{3}(?!\d))", ",", spaced).strip().rstrip("=").split("=")
    if any(_ALSO.search(side) for side in sides[1:-1]):
        return None  # x = 1, y = 2; but 16 - 7 = 9, 9 * 2 = 18
    last = re.sub(r"^\s*([-+])\s+(?=[\d.])", r"\1", sides[-1])
    matches = list(NUMBER.finditer(last))
    if not matches:
        return in_words(last)
    end = matches[0].end()
    rest = last[: matches[0].start()] + " " + _ASIDE.sub(" ", last[end:])
    variable = re.search(r"(?<![A-Za-z])[A-Za-z]\s*[-+*/]?\s*$", last[: matches[0].start()])
    if variable and (matches[0]["sign"] or variable[0].strip()[-1] in "-+*/"):
        return None  # x + 2
    if re.search(r"[\^\\]|(?<![A-Za-z])sqrt", rest) or re.match(r"\s*[-+*/]\s*[\d(]", last[end:]):
        return None
    values = {value(matches[0])} | {value(match) for match in NUMBER.finditer(_ASIDE.sub(" ", last[end:]))}
    return values.pop() if len(values) == 1 else None


def in_words(text: str) -> Fraction | None:
    """A number written in words, `twenty-four dollars`; None if the text has none, or several."""
    total, part, numbers, inside = 0, 0, 0, False
    for match in re.finditer(r"[a-z]+", text.lower()):
        word = match[0]
        if word in WORDS and _PART.match(text, match.end()):
            return None  # one half
        if word in WORDS:
            numbers += not inside
            part += WORDS[word]
        elif word in SCALES and inside:
            if word == "hundred":
                part *= 100
            else:
                total, part = total + part * SCALES[word], 0
        elif not (word == "and" and inside):
            inside = False
            continue
        inside = True
    return Fraction(total + part) if numbers == 1 else None


def written(number: Fraction) -> str:
    """A number in one canonical form: `18`, `-0.5`, `1/3`."""
    if number.denominator == 1:
        return str(number.numerator)
    rest = number.denominator
    places = 0
    for prime in (2, 5):
        count = 0
        while rest % prime == 0:
            rest, count = rest // prime, count + 1
        places = max(places, count)
    if rest != 1 or places > 12:
        return f"{number.numerator}/{number.denominator}"
    digits = f"{abs(number.numerator) * 10**places // number.denominator:0{places + 1}d}"
    return ("-" if number < 0 else "") + f"{digits[:-places]}.{digits[-places:]}"
