"""Fills the template: data, style and scripts in one HTML file, kept under a size that can be mailed and committed."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment
from markupsafe import Markup

from harness.store.files import write_atomic
from reports.model import LeaderRow, Report
from reports.page import embed
from reports.page.payload import is_mini, payload, replay_groups, sample

LIMIT = 6_000_000
STYLES = ("base", "tables", "charts", "replay")
SCRIPTS = (
    *("text", "state", "aup", "controls", "leaderboard", "comparisons", "details", "findings"),
    *("chart", "curves", "replay_model", "replay_canvas", "replay", "main"),
)


def write_page(report: Report, path: Path) -> None:
    """Writes the page to `path` (UTF-8, under 6 MB). Samples that do not fit are left out, and the page says so."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, render(report))


def render(report: Report, limit: int = LIMIT) -> str:
    """The page as text, at most `limit` bytes as UTF-8 as long as the report without its samples fits."""
    style = source("css", STYLES, "css")
    script = '"use strict";\n(() => {\n' + source("js", SCRIPTS, "js") + "\n})();\n"
    template = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(_read("template.html.j2"))
    data = payload(report)
    frame = {
        "title": report.title,
        "csp": embed.policy(script),
        "style": Markup(style),
        "script": Markup(script),
        "plotly": Markup(embed.plotly_packed()),
        "mini": any(is_mini(item.suite) for item in report.cohorts),
        "options": report.options,
        "tables": plain_tables(report),
    }
    bare = template.render(frame, data=Markup(embed.safe_json(data)))
    add_samples(data, report, limit - len(bare.encode("utf-8")) - 2_000)
    return template.render(frame, data=Markup(embed.safe_json(data)))


def source(folder: str, names: tuple[str, ...], suffix: str) -> str:
    """The files of a folder in order, as one text that cannot close its own element."""
    text = "\n".join(_read(folder, f"{name}.{suffix}") for name in names)
    if "</s" in text.lower() or "<!--" in text:
        raise ValueError(f"reports/page/{folder}: a closing script or style tag, or a comment, inside the source.")
    return text


def _read(*parts: str) -> str:
    return files("reports.page").joinpath(*parts).read_text(encoding="utf-8")


def add_samples(data: dict[str, Any], report: Report, budget: int) -> None:
    """Adds replay samples prompt by prompt while `budget` bytes last; says how many did not fit."""
    prompts: dict[str, int] = {}
    left_out = 0
    for group in replay_groups(report):
        for item in group:
            entry = sample(item) | {"prompt": prompts.get(item["prompt"], len(prompts))}
            cost = _bytes(entry) + (0 if item["prompt"] in prompts else _bytes(item["prompt"]))
            if cost > budget:
                left_out += 1
                continue
            budget -= cost
            prompts.setdefault(item["prompt"], len(prompts))
            data["samples"].append(entry)
    data["prompts"] = list(prompts)
    if left_out:
        data["left_out"].append(
            f"{left_out} of {len(report.samples)} stored samples are not in the replay below: the page is kept under "
            f"{LIMIT / 1e6:.0f} MB. harness show RUN --sample N --trace replays any of them in the terminal."
        )


def _bytes(value: Any) -> int:
    return len(embed.safe_json(value).encode("utf-8"))


def plain_tables(report: Report) -> list[tuple[str, list[Mapping[str, Any]]]]:
    """The leaderboards as the template shows them where scripts do not run: (caption, rows)."""
    tables: dict[str, list[Mapping[str, Any]]] = {}
    for row in report.leaderboard:
        caption = f"{row.suite}{' (mini)' if is_mini(row.suite) else ''}, cohort {row.cohort}"
        tables.setdefault(caption, []).append(_plain(row))
    return list(tables.items())


def _plain(row: LeaderRow) -> dict[str, Any]:
    numbers = {key: f"{getattr(row, key):.2f}" for key in ("avg_accuracy", "avg_tpf", "avg_aup_clipped", "avg_aup")}
    rank = "unranked" if row.rank is None else str(row.rank)
    return {"rank": rank, "method": row.method, "source": row.source, "n_tasks": row.n_tasks, **numbers}
