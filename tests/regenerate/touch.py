"""A stage's command for the ledger's tests: writes a file, counts its runs, may fail."""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":
    out, text = Path(sys.argv[1]), sys.argv[2]
    runs = out.with_suffix(".runs")
    runs.write_text((runs.read_text() if runs.exists() else "") + "x")
    if text == "fail":
        sys.exit(3)
    out.write_text(text)
