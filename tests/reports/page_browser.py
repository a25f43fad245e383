"""A headless Chromium for the page's tests: found on the machine, or the tests are skipped with the reason."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

FLAGS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
FLAGS += [
    "--disable-background-networking",
    "--disable-component-update",
    "--hide-scrollbars",
    "--window-size=1280,900",
]

READY = "return document.documentElement.dataset.ready === 'true'"


@contextmanager
def browser(profile: Path) -> Iterator[Any]:
    """A Chromium with an empty profile and its console recorded. Skips where it or its driver is not installed."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed (pip install selenium)")
    binary = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    driver = shutil.which("chromedriver")
    if not binary or not driver:
        pytest.skip("no chromium and chromedriver on this machine (Debian: apt install chromium chromium-driver)")
    options = webdriver.ChromeOptions()
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.binary_location = binary
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    chrome = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    try:
        yield chrome
    finally:
        chrome.quit()


class Page:
    """The opened page, spoken to as a reader would: selects, clicks, keys; and its text."""

    def __init__(self, chrome: Any, path: Path) -> None:
        self.chrome = chrome
        chrome.get("about:blank")
        chrome.get_log("browser")
        chrome.get(path.as_uri())
        self.wait(READY)

    def wait(self, script: str, seconds: float = 120.0) -> Any:
        """The first true value of `script`."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if value := self.js(script):
                return value
            time.sleep(0.03)
        raise AssertionError(f"never true: {script}")

    def js(self, script: str, *values: Any) -> Any:
        """Runs a script in the page and returns its value."""
        return self.chrome.execute_script(script, *values)

    def choose(self, select: str, value: str) -> None:
        """Chooses an option of a select by its value."""
        script = (
            "const s = document.getElementById(arguments[0]); s.value = arguments[1];"
            "s.dispatchEvent(new Event('change', {bubbles: true})); return s.value"
        )
        assert self.js(script, select, value) == value, f"{select} has no option {value!r}"
        self.wait(READY)

    def click(self, css: str) -> None:
        """Clicks the first element that matches."""
        self.chrome.find_element("css selector", css).click()
        self.wait(READY)

    def type(self, css: str, text: str) -> None:
        """Types into an element."""
        self.chrome.find_element("css selector", css).send_keys(text)

    def text(self, css: str) -> str:
        """textContent of the first element that matches."""
        return str(self.js("return document.querySelector(arguments[0]).textContent", css))

    def methods(self) -> list[str]:
        """The leaderboard's methods from top to bottom."""
        return list(
            self.js("return [...document.querySelectorAll('#board tr[data-row]')].map((r) => r.dataset.method)")
        )

    def cells(self, kind: str = "aup") -> dict[tuple[str, str, str], float]:
        """(method, source, task) -> the area that the page computed; kind: "aup" or "clipped"."""
        script = (
            "return [...document.querySelectorAll('#board td[data-task][data-aup]')].map((c) => [c.closest('tr')"
            ".dataset.method, c.closest('tr').dataset.source, c.dataset.task, c.dataset[arguments[0]]])"
        )
        return {(method, source, task): float(value) for method, source, task, value in self.js(script, kind)}

    def problems(self) -> list[str]:
        """What the console holds: errors, warnings, blocked content."""
        return [f"{line['level']} {line['message']}" for line in self.chrome.get_log("browser")]
