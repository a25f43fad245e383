"""What a model or another package wrote is text on the page: nothing of it runs, in a real browser."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from reports.page import write_page
from tests.reports.page_browser import Page
from tests.reports.page_fixture import BIDI, HOSTILE, report, sample

RTL = "\u202e\u2066\u200f\u2069"


def opened(chrome: Any, folder: Path, samples: list[dict[str, Any]] | None = None) -> Page:
    write_page(report(samples), folder / "index.html")
    return Page(chrome, folder / "index.html")


def visit_everything(page: Page) -> None:
    """Opens every row, group, chart table, prompt and text there is, under both themes."""
    page.js("document.querySelectorAll('#board tr[data-row] th button').forEach((b) => b.click())")
    page.js("document.querySelectorAll('details').forEach((d) => { d.open = true })")
    prompts = page.js("return [...document.getElementById('replay-prompt').options].map((o) => o.value)")
    for prompt in prompts:
        page.choose("replay-prompt", prompt)
        page.click("#last")
    page.js("for (const f of document.querySelectorAll('figure .plot')) f.focus()")
    page.click("#theme")


def test_hostile_text_is_shown_and_runs_nothing(chrome: Any, tmp_path: Path) -> None:
    page = opened(chrome, tmp_path)
    visit_everything(page)
    time.sleep(0.3)
    assert page.js("return window.hacked") is None
    assert page.js("return document.querySelectorAll('img, b, iframe, object').length") == 0
    assert HOSTILE in page.text("#side-left .canvas")
    assert "left⟦U+202E⟧right" in page.text("#side-left .canvas")
    assert HOSTILE in page.text('#board tr[data-method="d3llm"] ~ .detail-row')
    assert HOSTILE in page.text("#finding-list")
    assert not any(mark in page.js("return document.body.innerText") for mark in RTL)
    assert page.text("h1") == "Fixture <b>report</b>"
    assert page.problems() == []


def test_hostile_labels_in_charts(chrome: Any, tmp_path: Path) -> None:
    from dataclasses import replace

    whole = report()
    named = {
        **whole.methods,
        "d3llm": {**whole.methods["d3llm"], "title": f'<a href="javascript:window.hacked=4">x</a>{HOSTILE}'},
    }
    write_page(replace(whole, methods=named), tmp_path / "index.html")
    page = Page(chrome, tmp_path / "index.html")
    label = page.wait("return document.querySelector('figure[data-task=math] .annotation-text')?.textContent")
    assert page.js("return document.querySelectorAll('svg a, .plot a').length") == 0
    labels = page.js("return [...document.querySelectorAll('.annotation-text')].map((t) => t.textContent)")
    assert label
    assert any('<a href="javascript:window.hacked=4">' in text for text in labels)
    assert page.js("return window.hacked") is None
    assert page.problems() == []


def test_a_megabyte_is_collapsed_and_can_be_shown(chrome: Any, tmp_path: Path) -> None:
    text = (HOSTILE + BIDI + " lorem ipsum ") * 8000
    assert len(text) > 1_000_000
    many = [
        sample("vanilla", [text], [1]),
        sample("tad_speed", ["word "] * 20_000, [1 + n // 50 for n in range(20_000)]),
    ]
    page = opened(chrome, tmp_path, many)
    started = time.monotonic()
    page.click("#first")
    page.click("#last")
    assert time.monotonic() - started < 60  # generous: a busy machine; a page that hangs takes minutes
    assert len(page.text("#side-left .canvas")) < 2000
    page.js("document.querySelectorAll('#side-left details').forEach((d) => { d.open = true })")
    shown = "return document.querySelector('#side-left pre').textContent.length"
    assert page.js(shown) < 5000
    page.js("document.querySelector('#side-left details button').click()")
    assert page.js(shown) > 1_000_000
    assert "first 3000 of 20000 positions" in page.text("#side-right")
    assert page.js("return window.hacked") is None
    assert page.problems() == []


def test_the_policy_stops_what_would_slip_through(chrome: Any, tmp_path: Path) -> None:
    page = opened(chrome, tmp_path)
    blocked = page.js(
        "try { document.body.innerHTML = '<img src=x onerror=window.hacked=5>'; return 'parsed' }"
        "catch (e) { return e.name }"
    )
    assert blocked == "TypeError"
    page.js(
        "const s = document.createElement('script');"
        "try { s.text = 'window.hacked = 6'; document.body.append(s) } catch {}"
    )
    assert page.js("return window.hacked") is None
    assert page.problems()  # the browser says what it refused
