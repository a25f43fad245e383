"""Scoring without decoding: stored generations again, or a task's own gold answers."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import UserError
from harness.metrics import beginning, keep, summarise
from harness.runner.aggregate import agrees
from harness.runner.job import confine_code, data_source, protocol_of
from harness.runner.prompts import prompt_hash
from harness.runner.sample import document, scored
from harness.runner.spec import REPEATED, RunSpec
from harness.settings import effective_eos_policy
from harness.store import RunFolder, StoreError, run_id
from harness.store.checks import needs
from harness.suites import load_suite


@dataclass(frozen=True)
class Rescored:
    """The new summary and its path.

    changed: samples with another text, count or score; stored: all; recut: samples whose text ends elsewhere, because
    the stop strings are others. finished: whether the summary was written.
    """

    summary: dict[str, Any]
    folder: RunFolder
    changed: int
    stored: int
    recut: int
    finished: bool


def rescore(folder: RunFolder, *, data_dir: str | None = None, unconfined: bool = False) -> Rescored:
    """Cut, count and score every stored output again and rewrite samples and summary, atomically.

    A run of an older version of its protocol is scored as today's version does, into a run folder of its own beside
    it, if both versions ask the same prompts; the old folder stays as it is. Outputs are stored to their first EOS or
    to the end of the generation region, so other stop strings cut them exactly; only the reference repositories' token
    counts, which need the tokenizer, are left out then. Ids, pieces and traces stay as they are. A run that had no
    summary gets one if all documents its last session asked for are there. Raises UserError when the data, the prompts
    or the protocol are not those of the run, StoreError when it has no samples, BusyError while the run is being
    written.
    """
    import tasks
    from tasks import protocols

    run = folder.run()
    needs(run, str(folder.path / "run.json"), *REPEATED, "protocol_version", "protocol_digest", "special")
    protocol = protocols.read(Path(run["protocol_file"])) if "protocol_file" in run else protocols.get(run["protocol"])
    now = _under(folder, run, protocol)
    spec = RunSpec.of(run, unconfined=unconfined, **({"data_dir": data_dir} if data_dir else {}))
    if protocol.metric == "pass@1":
        confine_code(spec)
    loaded = tasks.load(protocol, data_source(spec, load_suite(spec.suite)))
    if loaded.fingerprint != run["data_fingerprint"]:
        raise UserError(
            f"{folder.path}: the data are not those of the run ({loaded.fingerprint}); give --data-dir DIR."
        )
    with ExitStack() as stack:
        stack.enter_context(folder.open(run))
        before = sorted(folder.samples(), key=lambda sample: sample["doc_id"])
        for sample in before:
            _check(folder, sample)
        if not before:
            raise StoreError(f"{folder.path} has no samples to score; run it again to decode them.")
        target = folder
        if now is not run:
            _same_prompts(folder, loaded, before)
            target = RunFolder(folder.path.with_name(now["run_id"]))
            stack.enter_context(_beside(target, now))
        after = [_again(loaded, run, protocol, sample) for sample in before]
        recut = sum(old["text"] != new["text"] for old, new in zip(before, after, strict=True))
        if recut and now is not run:
            after = [{**sample, "tokens_compat": {}} for sample in after]
        summary = summarise(now, beginning(after))  # before anything is written: a damaged run.json can fail here
        target.rewrite(after)
        target.sort()
        finished = folder.finished or summary["n_samples"] >= _asked(run, len(loaded.docs))
        if finished:
            summary["lm_eval"] = _official(target, summary)
            target.finish(summary)
    changed = sum(old != new for old, new in zip(before, after, strict=True))
    return Rescored(summary, target, changed, len(after), recut, finished)


def _under(folder: RunFolder, run: dict[str, Any], protocol: Any) -> dict[str, Any]:
    """The run.json of a run as today's version of its protocol names it; the same object if nothing changes.

    Raises UserError for a version that the stored texts cannot answer: a newer one, one with other prompts, or one
    under which answers end otherwise.
    """
    if protocol.digest == run["protocol_digest"]:
        return run
    version = run["protocol_version"]
    if version >= protocol.version:
        raise UserError(
            f"{folder.path}: the run was asked under version {version} of {protocol.id} with the digest "
            f"{run['protocol_digest']}, here version {protocol.version} has {protocol.digest}; "
            "score it where it was run."
        )
    if version < protocol.prompts_since:
        raise UserError(
            f"{folder.path}: version {version} of {protocol.id} gave the model other prompts, or ended its answers "
            f"otherwise, than version {protocol.version} does, so its texts cannot be scored as that one; run it again."
        )
    changes = {
        "protocol_version": protocol.version,
        "protocol_digest": protocol.digest,
        "metric": f"{protocol.metric},{protocol.extraction}",
        "eos_policy": effective_eos_policy(protocol.eos_policy, run["setting"]),
    }
    now = {**run, **changes, "rescored_from": run["run_id"]}
    return {**now, "run_id": run_id(now)}


def _beside(target: RunFolder, run: dict[str, Any]) -> RunFolder:
    """Open the folder of a run that is scored under another version; one that was decoded is not overwritten."""
    if (target.path / "run.json").exists() and target.run().get("rescored_from") != run["rescored_from"]:
        raise UserError(f"{target.path} holds this run already, decoded under today's protocol; nothing was written.")
    return target.open(run)


def _same_prompts(folder: RunFolder, loaded: Any, samples: list[dict[str, Any]]) -> None:
    """Check that the stored prompt contains today's text of every question.

    The chat template belongs to the checkpoint, which is not loaded here: what it puts around the text is not compared.
    """

    def contents(history: list[dict[str, str]], add_generation_prompt: bool = True) -> str:
        return "\0".join(turn["content"] for turn in history)

    prompts = {request.doc_id: str(request.args[0]) for request in loaded.requests(chat_template=contents)}
    for sample in samples:
        if any(part.strip() not in sample["prompt"] for part in prompts[sample["doc_id"]].split("\0")):
            raise UserError(
                f"{folder.path}: the prompt of document {sample['doc_id']} is not the one that {loaded.protocol.id} "
                f"version {loaded.protocol.version} gives; run it again."
            )


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


def _check(folder: RunFolder, sample: dict[str, Any]) -> None:
    """Raise StoreError for a stored sample that does not hold what scoring reads, or holds another prompt."""
    where = f"{folder.path / 'samples.jsonl'}, document {sample['doc_id']}"
    needs(sample, where, "truncated", "prompt", "prompt_hash", "text", "output_ids", "pieces")
    if sample["prompt_hash"] != prompt_hash(sample["prompt"]):
        raise StoreError(f"{where}: the prompt was changed after it was decoded; remove that line to decode it again.")


def _again(loaded: Any, run: dict[str, Any], protocol: Any, sample: dict[str, Any]) -> dict[str, Any]:
    if sample["truncated"]:
        return sample
    doc = document(loaded, sample)
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
    from tasks.gold import gold as task_gold

    own = load_suite(suite)
    chosen = protocol_of(task, protocol, own)
    loaded = tasks.load(chosen, data_source(RunSpec("-", task, suite, data_dir=data_dir), own))
    return task_gold(loaded, limit=limit, unconfined=unconfined)
