"""The one printer of the command line: text of a model or a file cannot drive the terminal that shows it.

Control characters, bidirectional overrides and lone surrogates are shown instead of sent.
"""

from __future__ import annotations

import re
import sys
from typing import Any

# C0 as control pictures; C1, invisible and bidirectional controls, line separators and half characters by their number
_PICTURES = {code: 0x2400 + code for code in range(32) if code != 10} | {127: 0x2421}
_UNSAFE = re.compile("[\u0080-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")
_UNSAFE_JSON = re.compile("[\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")


def plain(text: Any) -> str:
    """`text` that only prints: line ends stay, every other control character is shown."""
    return _UNSAFE.sub(lambda match: f"\\u{ord(match.group()):04x}", str(text).translate(_PICTURES))


def plain_json(text: str) -> str:
    """JSON text with the characters that could drive a terminal escaped; it says the same."""
    return _UNSAFE_JSON.sub(lambda match: f"\\u{ord(match.group()):04x}", text)


def echo(text: Any = "", *, err: bool = False, nl: bool = True) -> None:
    """Print to stdout, or to stderr: what verbs print, all of it."""
    print(plain(text), file=sys.stderr if err else sys.stdout, end="\n" if nl else "", flush=err)
