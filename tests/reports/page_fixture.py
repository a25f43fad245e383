"""A small report for the page's tests: published numbers as they are, and a few made-up runs of the mini suite.

The runs are test data, never shown anywhere else: three methods with curves, one row that lacks a task, one dropped
point, replay samples of two prompts, and hostile text wherever a model or a third party could put it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from reports.cohort import make_cohorts
from reports.collect import collect
from reports.model import Finding, Point, ProtocolCard, Report
from reports.rank import aup_rows, leader_rows
from reports.style import describe

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
    return [
        mini_point(method, task, n, *pair)
        for method, tasks in CURVES.items()
        for task, pairs in tasks.items()
        for n, pair in enumerate(pairs)
    ]


def mini_point(method: str, task: str, n: int, tpf: float, accuracy: float) -> Point:
    """One of them, with intervals, speed, command, and for d3llm a hostile setting."""
    setting = f"threshold={0.3 + 0.1 * n:.1f}"
    command = f"harness run --method {method} --task {task} --set {setting}"
    where = {"suite": "mini", "task": task, "method": method, "source": "run", "label": method}
    bars = {"tpf_lo": tpf * 0.95, "tpf_hi": tpf * 1.05, "acc_lo": accuracy - 4, "acc_hi": accuracy + 4}
    more = {"tps": 40 * tpf, "positions_per_token": 300 / tpf, "n_samples": 200, "run_id": f"{method}-{task}-{n}"}
    if method == "d3llm":
        setting += f" {HOSTILE}{BIDI}"
    if method == "vanilla":
        setting = '{"block_size": 8, "steps": null, "alg": "low"}'  # as run.json has it
    values: dict[str, Any] = {**where, **bars, **more, "protocol": f"mini/{task}", "command": command}
    return Point(setting=setting, tpf=tpf, accuracy=accuracy, **values)


def sample(method: str, pieces: list[str], trace: list[int], **more: Any) -> dict[str, Any]:
    """One replay sample as `reports.replay` makes them, kept up to the first end-of-text piece."""
    tokens = pieces.index("<|eos|>") if "<|eos|>" in pieces else len(pieces)
    where = {"run_id": f"{method}-gsm8k-0", "suite": "mini", "method": method, "task": "gsm8k", "doc_id": 7}
    prompt = "Question: Ann has 3 apples and buys 4. How many?\nAnswer:"
    output = {"prompt": prompt, "pieces": pieces, "trace": trace, "text": "".join(pieces[:tokens]), "tokens": tokens}
    counts = {"forwards": max(trace), "nfe": max(trace), "outcome": "correct", "correct": 1, "stop_reason": "eos"}
    return {**where, "setting": "threshold=0.3", **output, **counts, **more}


def replay_samples() -> list[dict[str, Any]]:
    """Two methods on one prompt; one document whose texts are hostile."""
    words = ["Ann", " has", " ", "3", " +", " ", "4", " =", " ", "7", " apples", ".", "\n", "####", " ", "7"]
    tail = ["<|eos|>"] * 8
    bad = [HOSTILE, " ", BIDI, "\n", "<b>bold</b>", " ####", " 7"]
    return [
        sample("vanilla", words + tail, [*range(1, 17), *[17] * 8]),
        sample("tad_speed", words + tail, [1, 1, 2, 1, 1, 2, 1, 3, 3, 4, 2, 3, 3, 1, 1, 4, *[2] * 8]),
        sample("vanilla", bad, [*range(1, 8)], doc_id=8, prompt=HOSTILE + BIDI, outcome=HOSTILE, correct=0),
        sample("d3llm", bad, [1, 2, 1, 2, 3, 3, 3], doc_id=8, prompt=HOSTILE + BIDI, correct=0),
    ]


def findings() -> tuple[Finding, ...]:
    """One about a cell, a hostile one, and one about the whole table."""
    return (
        Finding("not-k-of-n", "warning", "58.3 is not k/200 for any k.", "mini", "run", ("gsm8k",), ("tad_speed",)),
        Finding("duplicate-runs", "error", HOSTILE + BIDI, "mini", "run", ("math",), ("d3llm",)),
        Finding("different-data", "warning", "Two fingerprints of the data.", "mini", "run", ("mbpp",)),
    )


def report(samples: list[dict[str, Any]] | None = None) -> Report:
    """Both papers as `reports.collect` reads them, with the mini suite in front."""
    papers = collect(published=("d3llm", "tad"), draws=0)
    points = mini_points()
    cohorts = make_cohorts(points)
    aups = [row for cohort in cohorts for row in aup_rows(cohort, points)]
    board = [row for cohort in cohorts for row in leader_rows(cohort, points, aups)]
    fields = {"shots": 0, "until": ["\n\n"], "notes": HOSTILE}
    card = ProtocolCard("mini", "gsm8k", "run", ("vanilla", "tad_speed"), "mini/gsm8k v1", fields)
    return replace(
        papers,
        title="Fixture <b>report</b>",
        methods={name: describe(name) for name in CURVES} | dict(papers.methods),
        points=(*points, *papers.points),
        cohorts=(*cohorts, *papers.cohorts),
        aup=(*aups, *papers.aup),
        leaderboard=(*board, *papers.leaderboard),
        findings=(*findings(), *papers.findings),
        protocols=(card, *papers.protocols),
        samples=tuple(replay_samples() if samples is None else samples),
    )
