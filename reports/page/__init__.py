"""The page: one `index.html` that holds a whole report and opens from disk, without network.

`payload` turns a `Report` into JSON-ready data, `embed` makes it safe inside HTML and adds the scripts, `build` fills
the template. What a model or another package wrote is data on this page, never markup: see `docs/page.md`.
"""

from reports.page.build import render, write_page

__all__ = ["render", "write_page"]
