"""Scoring without decoding: stored generations again, or a task's own gold answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from harness.errors import UserError
from harness.metrics import beginning, keep, summarise
from harness.runner.aggregate import agrees
from harness.runner.job import confine_code, data_source
from harness.runner.prompts import prompt_hash
from harness.runner.sample import scored
from harness.runner.spec import RunSpec
from harness.store import RunFolder, StoreError
from harness.suites import load_suite


@dataclass(frozen=True)
class Rescored:
    """The new summary, and whether it was written. changed: samples with another text, count or score; stored: all."""

    summary: dict[str, Any]
    changed: int
    stored: int
    finished: bool


def rescore(folder: RunFolder, *, data_dir: str | None = None, unconfined: bool = False) -> Rescored:
    """Cut, count and score every stored output again and write samples and summary anew, atomically.

    Ids, pieces and traces stay as they are. A run that had no summary gets one if all documents its last session asked
    for are there. Raises UserError when the data or the protocol are not those of the run, StoreError when it has no
    samples, BusyError while the run is being written.
    """
    import tasks
    from tasks import protocols

    run = folder.run()
    protocol = protocols.get(run["protocol"])
    if protocol.digest != run["protocol_digest"]:
        raise UserError(
            f"{folder.path}: {protocol.id} is version {protocol.version} here, the run was asked another one."
        )
    spec = RunSpec.of(run, unconfined=unconfined, **({"data_dir": data_dir} if data_dir else {}))
    if protocol.metric == "pass@1":
        confine_code(spec)
    loaded = tasks.load(protocol, data_source(spec, load_suite(spec.suite)))
    if loaded.fingerprint != run["data_fingerprint"]:
        raise UserError(
            f"{folder.path}: the data are not those of the run ({loaded.fingerprint}); give --data-dir DIR."
        )
    with folder.open(run):
        before = list(folder.samples())
        if not before:
            raise StoreError(f"{folder.path} has no samples to score; run it again to decode them.")
        after = [_again(loaded, run, protocol, sample) for sample in before]
        folder.rewrite(after)
        folder.sort()
        summary = summarise(run, beginning(folder.samples()))
        finished = folder.finished or summary["n_samples"] >= _asked(run, len(loaded.docs))
        if finished:
            summary["lm_eval"] = _official(folder, summary)
            folder.finish(summary)
    changed = sum(old != new for old, new in zip(before, after, strict=True))
    return Rescored(summary, changed, len(after), finished)


def _asked(run: dict[str, Any], documents: int) -> int:
    """How many documents the last session wanted, of `documents` in all."""
    sessions = run.get("sessions") or [{}]
    return min(sessions[-1].get("limit") or documents, documents)


def _official(folder: RunFolder, summary: dict[str, Any]) -> dict[str, Any] | None:
    """lm-eval's own aggregate of the summary before, while it still says what the samples say."""
    try:
        old = (folder.summary() or {}).get("lm_eval")
        return old if old and agrees(old, summary) else None
    except (StoreError, TypeError, ValueError, KeyError):  # a summary that is broken is only what is replaced
        return None


def _again(loaded: Any, run: dict[str, Any], protocol: Any, sample: dict[str, Any]) -> dict[str, Any]:
    if sample["truncated"]:
        return sample
    doc = loaded.docs[sample["doc_id"]]
    special = run["special"]
    kept = keep(
        sample["output_ids"],
        sample["pieces"],
        eos=special["eos"],
        mask=special["mask"],
        skip=special["skip"],
        until=protocol.until,
        policy=protocol.eos_policy,
    )
    assert sample["prompt_hash"] == prompt_hash(sample["prompt"])
    return scored(loaded, doc, {**sample, "tokens": kept.tokens, "text": kept.text})


def gold(
    task: str,
    suite: str = "mini",
    *,
    data_dir: str | None = None,
    protocol: str | None = None,
    limit: int | None = None,
    unconfined: bool = False,
) -> dict[str, Any]:
    """Score a task's own answers through the whole path. Keys: task, protocol, n, correct, failures."""
    import tasks
    from tasks import protocols
    from tasks.gold import gold as task_gold

    own = load_suite(suite)
    chosen = protocols.get(f"{protocol}/{task}" if protocol else own.protocol(task))
    loaded = tasks.load(chosen, data_source(RunSpec("-", task, suite, data_dir=data_dir), own))
    return task_gold(loaded, limit=limit, unconfined=unconfined)
