"""What the tests of the page share: one Chromium, started once, because its start costs more than most tests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.reports.page_browser import browser


@pytest.fixture(scope="session")
def chrome(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The browser's driver; every test opens its own file in it."""
    with browser(tmp_path_factory.mktemp("profile")) as driver:
        yield driver
