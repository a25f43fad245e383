"""MkDocs hook: a link that leaves docs/ (to an example, a source file) becomes its path; the site has no such page.

`tests/test_docs.py` checks that those files exist.
"""

from __future__ import annotations

import re
from typing import Any

OUTSIDE = re.compile(r"(?<!!)\[[^\]]*\]\((?:\.\./)+([^)#]+)(?:#[^)]*)?\)")


def on_page_markdown(markdown: str, **_: Any) -> str:
    """The page with `[text](../path)` written as `path`."""
    return OUTSIDE.sub(r"`\1`", markdown)
