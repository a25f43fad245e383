"""The definitions of what is counted: tokens kept, TPF, TPS, and the reference repositories' own token counts.

Pure functions over ids, pieces of text and lines of `samples.jsonl`; docs/definitions.md has them in words.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from harness.forwards import KINDS, total_forwards
from harness.stats import bootstrap_ratio, unscored, wilson
from harness.store.checks import needs
from tasks.stops import first_stop  # after `harness.forwards`, which checks that `tasks` is ours too

COMPAT_RULES = ("d3llm", "tad")
D3LLM_WARMUP = 10  # samples its evaluator leaves out of tokens and forwards
Sample = Mapping[str, Any]
Row = TypeVar("Row", bound=Sample)


class Kept(NamedTuple):
    """How many generated ids count, and their text."""

    tokens: int
    text: str


def keep(
    output_ids: Sequence[int],
    pieces: Sequence[str],
    *,
    eos: Collection[int],
    until: Sequence[str] = (),
    skip: Collection[int] = (),
    mask: int | None = None,
    policy: str = "cut",
) -> Kept:
    """The generated ids kept: up to, not including, the first EOS/EOT, cut where a stop string begins.

    pieces[j]: the text of output id j, joined they are the raw text. An id counts when its text begins before the
    earliest stop string, so one that the stop string cuts in half still counts. `skip`: special ids whose text is not
    part of the answer (they still count). `mask`: slots that were never committed; they neither count nor have text.
    policy: a protocol's EOS policy. `strip` scores the text after an EOS too, and the count is the same; the others
    end the text before the first EOS.
    """
    end = next((j for j, token in enumerate(output_ids) if token in eos), len(output_ids))
    tokens, text = _cut(output_ids[:end], pieces[:end], until, skip, mask)
    if policy == "strip":
        after = [j for j, token in enumerate(output_ids) if token not in eos]
        _, text = _cut([output_ids[j] for j in after], [pieces[j] for j in after], until, skip, mask)
    return Kept(tokens, text)


def _cut(
    ids: Sequence[int], pieces: Sequence[str], until: Sequence[str], skip: Collection[int], mask: int | None
) -> tuple[int, str]:
    """Number of ids before the earliest stop string, and their text without special ids."""
    pieces = ["" if token == mask else piece for token, piece in zip(ids, pieces, strict=True)]
    raw = "".join(pieces)
    cut = first_stop(raw, until)
    tokens, start, text = 0, 0, []
    for token, piece in zip(ids, pieces, strict=True):
        if start >= cut and cut < len(raw):
            break
        tokens += token != mask
        if token not in skip:
            text.append(piece[: cut - start])
        start += len(piece)
    return tokens, "".join(text)


def tpf(samples: Iterable[Sample]) -> float | None:
    """Sum of tokens over sum of forwards; None when nothing was decoded."""
    tokens = forwards = 0
    for sample in samples:
        tokens, forwards = tokens + sample["tokens"], forwards + total_forwards(sample["forwards"])
    return tokens / forwards if forwards else None


def tpf_sample_mean(samples: Iterable[Sample]) -> float | None:
    """The mean of the per-sample ratios, over the samples that were decoded."""
    ratios = [s["tokens"] / n for s in samples if (n := total_forwards(s["forwards"]))]
    return sum(ratios) / len(ratios) if ratios else None


def compat_tokens(
    rule: str,
    arch: str,
    task: str,
    output_ids: Sequence[int],
    *,
    decode: Callable[[Sequence[int], bool], str],
    count: Callable[[str], Sequence[int]],
    eos: Sequence[int],
    until: Sequence[str],
) -> int:
    """Tokens of one sample as the evaluators of d3LLM (e5bfcac) or TAD (5e2aaf8) count them.

    decode(ids, skip_special) and count(text) -> ids are the tokenizer's; eos is (EOS, EOT, ...), EOS first.
    LLaDA (both): the text, special tokens kept, is cut at the stop strings, tokenised again and counted; HumanEval has
    its special tokens skipped and is not cut. d3LLM leaves out every EOS but keeps what follows it; TAD also cuts at
    EOT and counts everything. Dream (both): cut at the first EOS; d3LLM also at the stop strings, TAD not.
    """
    if arch in ("dream", "a2d"):
        text = _before(decode(output_ids, False), [decode([eos[0]], False)] if eos else [])
        return len(count(_before(text, until) if rule == "d3llm" else text))
    if task == "humaneval":
        ids = count(decode(output_ids, True))
    else:
        stops = [*until, *(decode([token], False) for token in eos[1:] if rule == "tad")]
        ids = count(_before(decode(output_ids, False), stops))
    return sum(token not in eos[:1] for token in ids) if rule == "d3llm" else len(ids)


def _before(text: str, stops: Iterable[str]) -> str:
    for stop in stops:
        if stop:
            text = text.split(stop, 1)[0]
    return text


def tpf_compat(samples: Sequence[Sample]) -> dict[str, float | None]:
    """TPF under the reference repositories' rules: their token counts over their forward counts (`nfe`).

    d3llm leaves the first ten samples out (its warm-up) when there are more. None where a run has no such counts.
    """
    found: dict[str, float | None] = {}
    for rule in COMPAT_RULES:
        counted = samples[D3LLM_WARMUP:] if rule == "d3llm" and len(samples) > D3LLM_WARMUP else samples
        pairs = [(s["tokens_compat"][rule], s["nfe"]) for s in counted if rule in (s.get("tokens_compat") or {})]
        nfe = sum(n for _, n in pairs)
        found[rule] = sum(tokens for tokens, _ in pairs) / nfe if nfe else None
    return found


def beginning(samples: Iterable[Row]) -> list[Row]:
    """The longest unbroken beginning of the task: samples come in the order of their documents, from 0."""
    return [sample for place, sample in enumerate(samples) if sample["doc_id"] == place]


COUNTED_RUN = ("run_id", "suite", "method", "task", "protocol", "setting", "seed", "metric")
COUNTED = ("outcome", "correct", "forwards", "nfe", "tokens", "seconds", "positions")


def summarise(run: Mapping[str, Any], samples: Iterable[Sample]) -> dict[str, Any]:
    """summary.json of a run from its run.json and its samples (in any order; the light keys are enough).

    Accuracy in percent with Wilson's interval, TPF with the bootstrap's. A truncated sample counts as wrong; one whose
    scorer raised has no score: it is left out of the accuracy, counted in `errors`, and scored by the next run.
    Every key of docs/file-formats.md is there, null where nothing was measured; batch_size and device are those of the
    sessions that stored samples, null where these differ. Raises StoreError for a key that is missing.
    """
    rows = sorted(samples, key=lambda sample: sample["doc_id"])
    needs(run, f"The run.json of {run.get('run_id')}", *COUNTED_RUN)
    for row in rows:
        needs(row, f"Document {row['doc_id']} of the run {run['run_id']}", *COUNTED)
    scored = [row for row in rows if not unscored(row)]
    correct, n = sum(bool(row["correct"]) for row in scored), len(scored)
    decoded = [row for row in rows if total_forwards(row["forwards"])]
    forwards = [total_forwards(row["forwards"]) for row in decoded]
    kept, seconds = [row["tokens"] for row in decoded], sum(row["seconds"] for row in rows)
    sessions, actual = run.get("sessions") or [], ran(rows)
    return {
        **{name: run[name] for name in ("run_id", "suite", "method", "task", "protocol", "setting", "seed")},
        "n_samples": len(rows),
        "metric": run["metric"],
        "accuracy": 100.0 * correct / n if n else None,
        "accuracy_ci95": list(wilson(correct, n)) if n else None,
        "tokens": sum(row["tokens"] for row in rows),
        "forwards": sum(forwards),
        "forwards_by_kind": {kind: sum(row["forwards"].get(kind, 0) for row in rows) for kind in KINDS},
        "positions": sum(row["positions"] for row in rows),
        "revisions": _recorded(rows, "revisions"),
        "remasks": _recorded(rows, "remasks"),
        **actual,
        "tpf": tpf(rows),
        "tpf_ci95": _finite(bootstrap_ratio(kept, forwards, seed=0)),
        "tpf_sample_mean": tpf_sample_mean(rows),
        "tpf_compat": tpf_compat(rows),
        "tps": sum(row["tokens"] for row in rows) / seconds if seconds > 0 else None,
        "tps_reused": actual["forwards_run"] < sum(forwards),
        "decode_seconds": seconds,
        "batch_size": _common(sessions, "batch_size"),
        "device": _common(sessions, "device"),
        "empty_outputs": sum(not row["tokens"] and not row.get("truncated") for row in rows),
        "truncated": sum(bool(row.get("truncated")) for row in rows),
        "errors": sum(row["outcome"] == "error" for row in rows),
        "outcomes": _counts(row["outcome"] for row in rows),
        "lm_eval": None,  # what is not asked is not measured: the runner fills it in
    }


def ran(samples: Iterable[Sample]) -> dict[str, int]:
    """`forwards_run`, `positions_run`: what really ran, less than `forwards` and `positions` with canvases reused.

    Draft forwards never count. Samples of older versions have no such keys: everything ran.
    """
    rows = list(samples)
    return {
        "forwards_run": sum(row.get("forwards_run", total_forwards(row["forwards"])) for row in rows),
        "positions_run": sum(row.get("positions_run", row["positions"]) for row in rows),
    }


def _common(sessions: Iterable[Mapping[str, Any]], name: str) -> Any:
    """The value of `name` in the sessions that stored samples; None where they differ: no one value is beside TPS."""
    values = [session.get(name) for session in sessions if session.get("samples") != 0]
    return values[0] if values and all(value == values[0] for value in values) else None


def _recorded(rows: Iterable[Sample], name: str) -> int | None:
    """The sum of `name`; None where a row does not record it, as those of older runs."""
    values = [row.get(name) for row in rows]
    return None if None in values else sum(value for value in values if value is not None)


def _finite(interval: tuple[float, float]) -> list[float] | None:
    return None if any(math.isnan(value) for value in interval) else list(interval)


def _counts(names: Iterable[str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for name in names:
        counts[name] = counts.get(name, 0) + 1
    return dict(sorted(counts.items()))
