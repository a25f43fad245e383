"""A small report for the page's tests: published numbers as they are, and a few made-up runs of the mini suite.

The runs are test data, never shown anywhere else: three methods with curves, one row that lacks a task, one dropped
point, replay samples of one prompt, and hostile text where a model or a third party could put it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reports import published
from reports.aup import ALPHA, DROP
from reports.cohort import counts, make_cohorts
from reports.model import Finding, Point, ProtocolCard, Report
from reports.rank import aup_rows, leader_rows

COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#999999", "#7A5C00", "#5B3A8C")
MARKERS = ("o", "s", "D", "^", "v", "P", "X")
HOSTILE = '</script><script>window.hacked=1</script><img src=x onerror="window.hacked=2">"\'`${window.hacked=3}'
BIDI = "left\u202eright\u2066x\u2069\u200f\ufeff\u2028end"

CURVES: dict[str, dict[str, list[tuple[float, float]]]] = {
    "vanilla": {"gsm8k": [(1.0, 61.0)], "math": [(1.0, 40.0)], "mbpp": [(1.0, 50.0)]},
    "tad_speed": {
        "gsm8k": [(2.0, 62.0), (4.5, 60.0), (7.5, 58.5), (9.0, 41.0)],
        "math": [(2.5, 44.0), (5.0, 42.0)],
        "mbpp": [(2.0, 51.0), (4.0, 48.0)],
    },
    "d3llm": {"gsm8k": [(1.9, 60.0), (6.0, 58.0)], "math": [(2.0, 41.0), (3.0, 40.5)]},
}


def mini_points() -> list[Point]:
    """Made-up runs of the mini suite; d3llm has no mbpp run."""
    points = []
    for method, tasks in CURVES.items():
        for task, pairs in tasks.items():
            for n, (tpf, accuracy) in enumerate(pairs):
                setting = f"threshold={0.3 + 0.1 * n:.1f}" + (f" {HOSTILE}{BIDI}" if method == "d3llm" else "")
                points.append(
                    Point(
                        *("mini", task, method, "run", setting, tpf, accuracy, tpf * 0.95, tpf * 1.05),
                        *(accuracy - 4, accuracy + 4, 200, False, f"{method}-{task}-{n}"),
                        label=method,
                        protocol=f"mini/{task}",
                        tps=40 * tpf,
                        positions_per_token=300 / tpf,
                        command=f"harness run --method {method} --task {task} --set threshold={0.3 + 0.1 * n:.1f}",
                    )
                )
    return points


def sample(method: str, pieces: list[str], trace: list[int], **more: Any) -> dict[str, Any]:
    """One replay sample as `reports.replay` makes them, kept up to the first end-of-text piece."""
    tokens = pieces.index("<|eos|>") if "<|eos|>" in pieces else len(pieces)
    base = {
        **{"run_id": f"{method}-gsm8k-0", "suite": "mini", "method": method, "task": "gsm8k", "doc_id": 7},
        **{"setting": "threshold=0.3", "prompt": "Question: Ann has 3 apples and buys 4. How many?\nAnswer:"},
        **{"pieces": pieces, "trace": trace, "text": "".join(pieces[:tokens]), "outcome": "correct", "correct": 1},
        **{"tokens": tokens, "forwards": max(trace), "nfe": max(trace), "stop_reason": "eos"},
    }
    return base | more


def replay_samples() -> list[dict[str, Any]]:
    """Two methods on one prompt; one document whose texts are hostile."""
    words = ["Ann", " has", " ", "3", " +", " ", "4", " =", " ", "7", " apples", ".", "\n", "####", " ", "7"]
    tail = ["<|eos|>"] * 8
    bad = [HOSTILE, " ", BIDI, "\n", "<b>bold</b>", " ####", " 7"]
    return [
        sample("vanilla", words + tail, list(range(1, 17)) + [17] * 8),
        sample("tad_speed", words + tail, [1, 1, 2, 1, 1, 2, 1, 3, 3, 4, 2, 3, 3, 1, 1, 4] + [2] * 8),
        sample("vanilla", bad, list(range(1, 8)), doc_id=8, prompt=HOSTILE + BIDI, outcome=HOSTILE, correct=0),
        sample("d3llm", bad, [1, 2, 1, 2, 3, 3, 3], doc_id=8, prompt=HOSTILE + BIDI, correct=0),
    ]


def findings() -> tuple[Finding, ...]:
    """One per level, one hostile, one about a whole table."""
    return (
        Finding("not-k-of-n", "warning", "58.5 is not k/200 for any k.", "mini", "run", ("gsm8k",), ("tad_speed",)),
        Finding("duplicate-runs", "error", HOSTILE + BIDI, "mini", "run", ("math",), ("d3llm",)),
        Finding("averages", "note", "The table divides by 5 whatever the number of tasks.", "llada", "published:d3llm"),
    )


def methods(names: list[str]) -> dict[str, Mapping[str, Any]]:
    """Titles of the published methods, and a look for each."""
    known = published.methods()
    look = {}
    for n, name in enumerate(names):
        color = COLORS[n % len(COLORS)]
        title = known.get(name, {}).get("title", name)
        marker = MARKERS[n % len(MARKERS)]
        look[name] = {
            "title": title,
            "kind": "dllm",
            "color": {"light": color, "dark": color},
            "marker": marker,
            "dash": "-",
        }
    return look


def report(samples: list[dict[str, Any]] | None = None, title: str = "Fixture") -> Report:
    """The whole fixture as `reports.collect` would return it, made with the same functions."""
    points = [*mini_points(), *published.points(statuses=published.EVERY_STATUS)]
    counted = [point for point in points if counts(point)]
    cohorts = make_cohorts(counted, joint=True)
    aups = [row for cohort in cohorts for row in aup_rows(cohort, counted)]
    board = [row for cohort in cohorts for row in leader_rows(cohort, counted, aups)]
    card = ProtocolCard(
        "mini", "gsm8k", "run", ("vanilla", "tad_speed"), "mini/gsm8k v1", {"shots": 0, "until": ["\n\n"]}
    )
    return Report(
        title=title,
        header=(),
        methods=methods(list(dict.fromkeys(point.method for point in points))),
        tasks=published.tasks(),
        points=tuple(points),
        cohorts=cohorts,
        aup=tuple(aups),
        leaderboard=tuple(board),
        findings=(*findings(), *published.known_differences()),
        protocols=(card, *published.protocol_cards(published.PAPERS)),
        runs={},
        samples=tuple(replay_samples() if samples is None else samples),
        tps=published.tps(),
        options={"alpha": ALPHA, "drop": DROP, "y_max": "cohort", "extra_points": False},
    )
