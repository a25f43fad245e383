"""Screenshots of a page for the documentation: python -m tests.reports.page_shots INDEX.html docs/images [SUITE]

Makes page-light.png, page-dark.png, page-phone.png and, where the suite has stored samples, page-replay.png.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from PIL import Image

from tests.reports.page_browser import Page, browser


def size(page: Page, width: int, height: int, scale: float = 1.0) -> None:
    """The window's size in CSS pixels; below 600 wide it is a phone. Charts are drawn again before this returns."""
    metrics = {"width": width, "height": height, "deviceScaleFactor": scale, "mobile": width < 600}
    page.chrome.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    page.wait("return document.querySelector('.plot')?.clientWidth <= window.innerWidth", 10)
    page.js("window.dispatchEvent(new Event('resize'))")
    page.wait("const n = performance.now(); window.shotAt ??= n; return n - window.shotAt > 400")
    page.js("window.shotAt = undefined")
    page.wait("return document.documentElement.dataset.ready === 'true'")


def save(page: Page, file: Path) -> None:
    """A screenshot of the window with 256 colours, chosen so that the methods' own colours stay."""
    page.chrome.save_screenshot(str(file))
    with Image.open(file) as image:
        few = image.convert("RGB").quantize(256, Image.Quantize.MAXCOVERAGE, kmeans=2, dither=Image.Dither.NONE)
        few.save(file, optimize=True)


def shots(index: Path, folder: Path, suite: str | None) -> None:
    """The four pictures of docs/page.md."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as profile, browser(Path(profile)) as chrome:
        page = Page(chrome, index)
        if suite:
            page.choose("suite", suite)
        size(page, 1280, 1500)
        save(page, folder / "page-light.png")
        page.click("#theme")
        save(page, folder / "page-dark.png")
        page.click("#theme")
        if page.js("return !document.getElementById('replay-box').hidden"):
            size(page, 1280, 720)
            page.js("document.getElementById('replay').scrollIntoView()")
            middle = "const s = document.getElementById('scrub'); s.value = Math.ceil(s.max / 4);"
            page.js(middle + "s.dispatchEvent(new Event('input'))")
            save(page, folder / "page-replay.png")
        page.js("window.scrollTo(0, 0)")
        size(page, 390, 1500)
        save(page, folder / "page-phone.png")


if __name__ == "__main__":
    shots(Path(sys.argv[1]).resolve(), Path(sys.argv[2]), sys.argv[3] if len(sys.argv) > 3 else None)
