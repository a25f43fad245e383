"""The page in a real headless Chromium: sort, filter, cohorts against aup.csv's rows, charts, findings, replay."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reports.aup import aup
from reports.cohort import counts, curve
from reports.collect import collect
from reports.model import Report
from reports.page import write_page
from tests.reports.make_runs import make_run
from tests.reports.page_browser import Page
from tests.reports.page_fixture import CURVES, replay_samples, report

GSM8K = "document.querySelector('figure[data-task=gsm8k] .plot')"


@pytest.fixture(scope="module")
def fixture() -> Report:
    return report()


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory, fixture: Report) -> Path:
    file = tmp_path_factory.mktemp("page") / "index.html"
    write_page(fixture, file)
    return file


@pytest.fixture
def page(chrome: Any, path: Path) -> Iterator[Page]:
    opened = Page(chrome, path)
    yield opened
    assert opened.problems() == []


def test_sorting_by_every_kind_of_column(page: Page) -> None:
    assert page.methods() == ["tad_speed", "vanilla", "d3llm"]  # by AUP, the unranked row last whatever its value
    page.click('#board th[data-key="avg_accuracy"] button')
    assert page.methods() == ["vanilla", "tad_speed", "d3llm"]
    page.click('#board th[data-key="avg_accuracy"] button')
    assert page.methods() == ["d3llm", "tad_speed", "vanilla"]
    assert page.js("return document.querySelector('#board th[data-key=avg_accuracy]').ariaSort") == "ascending"
    page.click('#board th[data-key="method"] button')
    assert page.methods() == ["d3llm", "tad_speed", "vanilla"]
    for _ in range(2):  # a missing value stays last in both directions
        page.click('#board th[data-key="task:mbpp"] button')
        assert page.methods()[-1] == "d3llm"


def test_filter_and_ranked_only(page: Page) -> None:
    page.type("#filter", "SPEED")
    assert page.methods() == ["tad_speed"]
    page.type("#filter", " nothing")
    assert page.methods() == []
    assert "No row passes" in page.text("#board-body")
    page.js("const f = document.getElementById('filter'); f.value = ''; f.dispatchEvent(new Event('input'))")
    page.click("#ranked-only")
    assert page.methods() == ["tad_speed", "vanilla"]


def test_missing_cells_are_said_and_leave_the_row_unranked(page: Page) -> None:
    assert page.text('#board tr[data-method="d3llm"] td[data-task="mbpp"]') == "missing"
    assert page.text('#board tr[data-method="d3llm"] td.rank') == "unranked"
    assert page.text('#board tr[data-method="d3llm"] td:nth-child(3)') == "2/3"


def test_every_cohort_equals_the_rows_of_aup_csv(page: Page, fixture: Report) -> None:
    for cohort in fixture.cohorts:
        page.choose("suite", cohort.suite)
        page.choose("cohort", cohort.name)
        page.choose("ymax", "cohort")
        rows = [row for row in fixture.aup if (row.suite, row.cohort) == (cohort.suite, cohort.name)]
        expected = {(row.method, row.source, row.task): row.aup for row in rows}
        assert page.cells() == pytest.approx(expected, rel=1e-12)
        clipped = {(row.method, row.source, row.task): row.aup_clipped for row in rows}
        assert page.cells("clipped") == pytest.approx(clipped, rel=1e-12)


def test_the_rank_is_by_clipped_aup_for_runs_and_by_aup_for_a_paper(page: Page, fixture: Report) -> None:
    for cohort in fixture.cohorts:
        page.choose("suite", cohort.suite)
        page.choose("cohort", cohort.name)
        page.choose("ymax", "cohort")
        rows = [row for row in fixture.leaderboard if (row.suite, row.cohort) == (cohort.suite, cohort.name)]
        shown = page.js(
            "return [...document.querySelectorAll('#board tr[data-row]')].map((r) => [r.dataset.method, "
            "r.dataset.source, r.querySelector('td.rank').firstChild.textContent])"
        )
        expected = {(row.method, row.source, "unranked" if row.rank is None else str(row.rank)) for row in rows}
        assert {tuple(item) for item in shown} == expected


def test_y_max_switch_equals_python(page: Page, fixture: Report) -> None:
    points = [point for point in fixture.points if counts(point)]
    page.choose("suite", "llada")
    page.choose("cohort", "published:tad")
    cohort = next(c for c in fixture.cohorts if (c.suite, c.name) == ("llada", "published:tad"))
    for policy in ("100", "method:d3llm"):
        page.choose("ymax", policy)
        best = {
            task: max(p.accuracy for p in curve(points, "llada", task, ("d3llm", "published:tad")))
            for task in cohort.tasks
        }
        expected = {
            (*member, task): aup(
                [p.pair for p in curve(points, "llada", task, member)], 100.0 if policy == "100" else best[task]
            )
            for member in cohort.methods
            for task in cohort.tasks
            if curve(points, "llada", task, member)
        }
        assert page.cells() == pytest.approx(expected, rel=1e-12)


def test_a_y_max_fixed_elsewhere_is_what_the_page_starts_with(chrome: Any, tmp_path: Path) -> None:
    fixed = collect(published=("tad",), y_max="method:d3llm", suite="llada", draws=0)
    write_page(fixed, tmp_path / "index.html")
    page = Page(chrome, tmp_path / "index.html")
    assert page.js("return document.getElementById('ymax').value") == "reported"
    expected = {(row.method, row.source, row.task): row.aup for row in fixed.aup}
    assert page.cells() == pytest.approx(expected, rel=1e-12)


def test_details_show_points_commands_and_findings(page: Page) -> None:
    page.click('#board tr[data-method="tad_speed"] th button')
    detail = page.text("#board tr.detail-row")
    assert "58.3 is not k/200" in detail
    assert "harness run --method tad_speed --task gsm8k --set threshold=0.3" in detail
    assert "1 below 57.00" in detail
    assert page.js("return document.activeElement.getAttribute('aria-expanded')") == "true"


def test_findings_stand_at_their_cells_and_lead_back(page: Page) -> None:
    page.click('#board tr[data-method="tad_speed"] td[data-task="gsm8k"] a')
    assert "58.3 is not k/200" in page.js("return document.activeElement.textContent")
    page.js("document.activeElement.querySelector('button').click()")
    assert page.js("return document.activeElement.closest('tr').dataset.method") == "tad_speed"
    assert "Two fingerprints" in page.text("#table-findings")
    assert page.js("return Boolean(document.querySelector('#board th[data-key=\"task:mbpp\"] a'))")


def test_charts_draw_measured_points_and_straight_segments(page: Page) -> None:
    traces = page.js(f"return {GSM8K}.data.map((t) => [t.x, t.y, t.mode, t.line?.shape, t.line?.dash])")
    measured = {tuple(pair) for tasks in CURVES.values() for pair in tasks["gsm8k"]}
    marked = [trace[:2] for trace in traces if trace[2] == "markers"]
    assert {(x, y) for xs, ys in marked for x, y in zip(xs, ys, strict=True)} == measured
    assert [[9.0], [41.0]] in marked  # the point that AUP drops stands apart
    lines = [trace for trace in traces if trace[2] == "lines"]
    assert {shape for *_, shape, _ in lines} == {"linear"}
    # tad_speed falls below 57 between its last two points: solid up to there, dashed behind
    solid, dashed = ([t for t in lines if t[4] == dash and (9.0 in t[0] or 7.5 in t[0])] for dash in ("solid", "dash"))
    cut = 7.5 + 1.5 * (58.5 - 57) / (58.5 - 41)
    assert solid[0][0][-1] == pytest.approx(cut)
    assert solid[0][1][-1] == pytest.approx(57)
    assert dashed[0][0] == pytest.approx([cut, 9.0])
    page.choose("suite", "llada")
    symbols = page.js(f"return {GSM8K}.data.flatMap((t) => t.marker?.symbol ?? [])")
    assert any(symbol.endswith("-open") for symbol in symbols)


def test_chart_by_keyboard_and_legend(page: Page) -> None:
    page.js(f"{GSM8K}.focus()")
    page.chrome.switch_to.active_element.send_keys("\ue014")  # arrow right
    card = page.text("#hover-card")
    assert "Vanilla" in card
    assert "61.00 %" in card
    assert "harness run --method vanilla --task gsm8k" in card
    assert "block_size=8 steps=null alg=low" in card
    page.chrome.switch_to.active_element.send_keys("\ue007")  # enter
    assert "Vanilla" in page.text("#pinned")
    page.click('#legend button[data-method="tad_speed"]')
    assert page.js("return document.activeElement.ariaPressed") == "false"
    assert page.js(f"return {GSM8K}.data.filter((t) => t.mode === 'markers').length") == 2


def test_hover_shows_the_point(page: Page) -> None:
    script = (
        f"const g = {GSM8K}; g.scrollIntoView({{block: 'center'}});"
        "const r = g.querySelector('.points path').getBoundingClientRect();"
        "return [r.x + r.width / 2, r.y + r.height / 2]"
    )
    x, y = page.js(script)
    for attempt in range(100):  # the scroll that brought the chart here hides a card when its event comes late
        move = {"type": "mouseMoved", "x": x + 3 * (attempt % 2), "y": y}
        page.chrome.execute_cdp_cmd("Input.dispatchMouseEvent", move)
        time.sleep(0.1)
        if page.js("return !document.getElementById('hover-card').hidden"):
            break
    assert "n200" in page.text("#hover-card")


def test_other_views_say_what_is_not_measured(page: Page) -> None:
    page.choose("view", "tps")
    assert page.js(f"return {GSM8K}.data.filter((t) => t.mode === 'markers').length") == 4
    page.choose("suite", "llada")
    assert "Not measured" in page.text("figure[data-task=math] .plot")
    assert page.js(f"return {GSM8K}.data.length") >= 1
    page.choose("view", "positions")
    assert "Not measured" in page.text("figure[data-task=gsm8k] .plot")


def canvas(page: Page, side: str) -> str:
    return page.text(f"#side-{side} .canvas")


def test_replay_reaches_the_stored_text(page: Page) -> None:
    slow, fast = replay_samples()[:2]
    page.click("#first")
    assert set(canvas(page, "left")) == {"·", "\n"}
    for forward in range(1, 18):
        page.click("#forward")
        right = "".join(
            p if 0 < t <= forward else "·" * len(p) if p != "\n" else p
            for p, t in zip(fast["pieces"][:16], fast["trace"], strict=False)
        )
        assert canvas(page, "right") == right
        assert (canvas(page, "left") == slow["text"]) == (forward >= 16)
    assert canvas(page, "left") == canvas(page, "right") == slow["text"] == fast["text"]
    assert "forward 17 of 17" in page.text("#side-left .replay-status")
    assert "forward 4 of 4" in page.text("#side-right .replay-status")
    assert "4.00 tokens per forward pass" in page.text("#side-right .replay-status")
    assert "equals the canvas" in page.text("#side-left details")


def test_replay_plays_steps_scrubs_and_takes_keys(page: Page) -> None:
    page.choose("speed", "60")
    page.click("#play")
    page.wait("return document.getElementById('clock').textContent === 'forward 17 / 17'")
    page.js("const s = document.getElementById('scrub'); s.value = 2; s.dispatchEvent(new Event('input'))")
    assert page.text("#clock") == "forward 2 / 17"
    box = page.chrome.find_element("css selector", "#side-left .canvas")
    for key, clock in (("\ue014", 3), ("\ue012", 2), ("\ue010", 17), ("\ue011", 0)):  # right, left, end, home
        box.send_keys(key)
        assert page.text("#clock") == f"forward {clock} / 17"
    page.click("#last")
    chips = "return [...document.querySelectorAll('#side-right .canvas span')].map((s) => s.style.background)"
    colors = page.js(chips)
    assert colors[0] == colors[1] != colors[9]


def test_a_task_that_nobody_solves_stands_at_zero(chrome: Any, tmp_path: Path) -> None:
    for method in ("vanilla", "tad_speed"):
        make_run(tmp_path / "runs", method, accuracy=0.0, n=8)
        make_run(tmp_path / "runs", method, threshold=0.9, accuracy=0.0, tpf=2.0, n=8)
    made = collect([tmp_path / "runs"], draws=20)
    write_page(made, tmp_path / "index.html")
    page = Page(chrome, tmp_path / "index.html")
    assert page.cells() == {("tad_speed", "run", "gsm8k"): 0.0, ("vanilla", "run", "gsm8k"): 0.0}
    assert page.methods() == [row.method for row in made.leaderboard] == ["tad_speed", "vanilla"]
    ranks = "return [...document.querySelectorAll('#board td.rank')].map((c) => Number(c.firstChild.textContent))"
    assert page.js(ranks) == [row.rank for row in made.leaderboard] == [1, 1]
    assert page.text('#board tr[data-method="vanilla"] td[data-task="gsm8k"] .value') == "0.00"
    for policy in ("method:vanilla", "100"):
        page.choose("ymax", policy)
        assert set(page.cells().values()) == {0.0}
    assert page.js(f"return {GSM8K}.data.filter((t) => t.mode === 'markers').length") == 2
    assert page.problems() == []


def test_themes_and_phone_width(page: Page) -> None:
    color = "return getComputedStyle(document.body).backgroundColor"
    light = page.js(color)
    page.click("#theme")
    assert page.js(color) != light
    page.click("#theme")
    metrics = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
    page.chrome.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        for suite in ("mini", "llada"):
            page.choose("suite", suite)
            page.wait("return document.documentElement.scrollWidth <= 390", 20)
    finally:
        page.chrome.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_everything_has_a_name_and_is_reachable(page: Page) -> None:
    nameless = page.js(
        "return [...document.querySelectorAll('button, select, input, a[href], [tabindex]')]"
        ".filter((e) => !e.textContent.trim() && !e.ariaLabel && !e.labels?.length && !e.hidden)"
        ".map((e) => e.outerHTML.slice(0, 80))"
    )
    assert nameless == []
    assert page.js("return document.querySelectorAll('h1').length") == 1
    ids = page.js("return [...document.querySelectorAll('[id]')].map((e) => e.id)")
    assert len(ids) == len(set(ids))


def test_mini_is_said_beside_every_mini_number(page: Page) -> None:
    assert page.js("return !document.getElementById('mini-note').hidden")
    rows = "return [...document.querySelectorAll('#board tr[data-row]')].every((r) => r.querySelector('.tag.mini'))"
    assert page.js(rows)
    assert page.js("return [...document.querySelectorAll('figure.chart')].every((f) => f.querySelector('.tag.mini'))")
    assert page.js("return document.querySelectorAll('.sides .tag.mini').length") == 2
    page.choose("suite", "llada")
    assert page.js("return document.getElementById('mini-note').hidden")
