"""What makes one file safe and self-contained: JSON inside HTML, script hashes, the packed plotting library.

The content-security policy of the page admits two scripts by their SHA-256, the page's own and Plotly's, and no
network at all; `require-trusted-types-for` makes every HTML-parsing sink throw, so a slip of ours could not run text.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import math
import re
from functools import cache
from importlib.resources import files
from typing import Any

# Inside <script type="application/json">: nothing may look like a tag, a comment or an entity. Lone surrogates cannot
# be written as UTF-8; the bidirectional controls would reorder the source for whoever reads it.
_UNSAFE = re.compile("[<>&\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]")


def safe_json(data: Any) -> str:
    """`data` as compact JSON that cannot leave a script element; NaN and infinities become null.

    >>> safe_json({"a": "</script>", "b": float("nan")})
    '{"a":"\\\\u003c/script\\\\u003e","b":null}'
    """
    text = json.dumps(finite(data), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return _UNSAFE.sub(lambda match: f"\\u{ord(match.group()):04x}", text)


def finite(data: Any) -> Any:
    """`data` with tuples as lists, keys as text and every NaN or infinity as None."""
    if isinstance(data, float):
        return data if math.isfinite(data) else None
    if isinstance(data, dict):
        return {str(key): finite(value) for key, value in data.items()}
    if isinstance(data, (list, tuple)):
        return [finite(value) for value in data]
    return data


def script_hash(source: str) -> str:
    """The CSP source expression of an inline script: 'sha256-…' in quotes."""
    digest = hashlib.sha256(source.encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


@cache
def plotly_source() -> str:
    """Plotly's own minified script, as the installed `plotly` package ships it (MIT licence, notice inside)."""
    return files("plotly").joinpath("package_data", "plotly.min.js").read_text(encoding="utf-8")


@cache
def plotly_packed() -> str:
    """The same, gzip and base64: 2 MB instead of 4.8 MB; the page unpacks it with DecompressionStream."""
    return base64.b64encode(gzip.compress(plotly_source().encode("utf-8"), compresslevel=9, mtime=0)).decode()


def policy(script: str) -> str:
    """The page's content-security policy. Inline styles stay allowed: Plotly sets some; they cannot load anything.

    So do images that are part of the page: Plotly 6.0 probes the browser's WebP decoder with two.
    """
    return "; ".join(
        [
            "default-src 'none'",
            f"script-src {script_hash(script)} {script_hash(plotly_source())}",
            "style-src 'unsafe-inline'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types harness-plotly",
        ]
    )
