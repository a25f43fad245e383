"""The page as a file: one document, safe data, a policy that admits its two scripts and nothing else, under 6 MB."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reports.page import embed, render, write_page
from reports.page.build import LIMIT
from reports.page.payload import lean
from tests.reports.page_fixture import HOSTILE, report, sample


@pytest.fixture(scope="module")
def html() -> str:
    return render(report())


def data_of(html: str) -> dict[str, Any]:
    match = re.search(r'<script type="application/json" id="report-data">(.*?)</script>', html, re.DOTALL)
    assert match
    return json.loads(match[1])


@settings(max_examples=60, deadline=None)
@given(st.recursive(st.none() | st.floats() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)))
def test_safe_json_round_trips_and_cannot_close_its_element(value: Any) -> None:
    text = embed.safe_json(value)
    assert not set(text) & set("<>&\u2028\u2029\u202e\u2066\u200f\ufeff")
    text.encode("utf-8")
    assert json.loads(text) == embed.finite(value)


def test_lone_surrogates_and_infinities_are_written() -> None:
    assert embed.safe_json(["\ud800", float("inf")]) == '["\\ud800",null]'


def test_data_holds_the_report(html: str) -> None:
    fixture = report()
    data = data_of(html)
    assert len(data["points"]) == len(fixture.points)
    assert [row["aup"] for row in data["aup"]] == [row.aup for row in fixture.aup]
    assert {(c["suite"], c["name"]) for c in data["cohorts"]} == {(c.suite, c.name) for c in fixture.cohorts}
    assert data["suites"]["mini"]["mini"] is True
    assert data["suites"]["llada"]["mini"] is False
    assert len(data["samples"]) == len(fixture.samples)


def test_lean_keeps_zero() -> None:
    assert lean({"accuracy": 0.0, "tps": None, "nominal": False, "flags": ()}) == {"accuracy": 0.0}


def test_policy_names_exactly_the_scripts_of_the_file(html: str) -> None:
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', html)
    assert policy
    text = policy[1].replace("&#39;", "'")
    script = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    packed = re.search(r'id="plotly-gz">(.*?)</script>', html, re.DOTALL)
    assert len(script) == 1
    assert packed
    for source in (script[0].encode(), gzip.decompress(base64.b64decode(packed[1]))):
        assert base64.b64encode(hashlib.sha256(source).digest()).decode() in text
    assert "default-src 'none'" in text
    assert "unsafe-eval" not in text
    assert "unsafe-inline" not in text.split("style-src")[0]


def test_nothing_is_loaded_from_anywhere(html: str) -> None:
    own = re.sub(r'<script type="(application/json|text/plain)".*?</script>', "", html, flags=re.DOTALL)
    assert not re.search(r"""(src|href)\s*=\s*["']?(https?:)?//""", own)
    assert "@import" not in own
    assert "url(" not in own


def test_hostile_text_is_never_markup(html: str) -> None:
    assert HOSTILE not in html
    assert "Fixture <b>" not in html
    assert html.count("</script>") == 3


def test_size_is_kept_and_what_does_not_fit_is_named(tmp_path: Path) -> None:
    big = [sample("vanilla", ["é<" * 60_000], [1], doc_id=n) for n in range(30)]
    write_page(report(big), tmp_path / "deep" / "index.html")
    assert (tmp_path / "deep" / "index.html").stat().st_size < LIMIT
    data = data_of((tmp_path / "deep" / "index.html").read_text(encoding="utf-8"))
    left = 30 - len(data["samples"])
    assert left > 0
    assert f"{left} of 30 stored samples" in data["left_out"][0]


def test_without_scripts_the_leaderboard_is_there(html: str) -> None:
    table = html.split("<noscript>")[1].split("</noscript>")[0]
    assert "mini (mini), cohort run" in table
    assert "unranked" in table
    assert "274.28" in table


def test_text_is_stored_once_unless_it_differs_from_the_pieces() -> None:
    cut = sample("d3llm", ["7", "\n\nQuestion"], [1, 2], text="7")
    data = data_of(render(replace(report(), samples=(sample("vanilla", ["7"], [1]), cut))))
    assert "text" not in data["samples"][0]
    assert data["samples"][1]["text"] == "7"
