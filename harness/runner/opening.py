"""A run at its beginning: locked, what it holds looked through, what it lacks found."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from typing import Any

from harness.runner.asked import asked_limit, asked_prompts
from harness.runner.finish import summary_over
from harness.runner.job import Job
from harness.runner.provenance import now, session
from harness.runner.rank_files import Parts, recover_parts
from harness.runner.sample import document, scored
from harness.runner.scoring import Scorer
from harness.runner.state import Outcome, Progress, RunState
from harness.stats import unscored
from harness.store.sessions import counted


def open_run(
    job: Job, progress: Progress | None, stack: ExitStack, parts: Parts, lock_wait: float
) -> RunState | Outcome:
    """Lock the run and find what it lacks; a run that lacks nothing is shown without being touched.

    Samples whose scorer raised are scored again from their stored text, never decoded again.
    """
    spec, folder = job.spec, job.folder
    documents = job.documents
    total = len(documents)
    if spec.fresh:
        folder.set_aside()
    renamed = relabel(job)
    if not spec.fresh and folder.finished:
        stored = [sample for sample in folder.samples(light=True) if sample["doc_id"] in documents]
        if len(stored) == total and not any(map(unscored, stored)):
            return Outcome(spec, "stored", folder, summary_over(job))
    wanted = asked_prompts(job)  # before the folder is touched: a chat template can fail
    stack.enter_context(folder.open(job.run | {"started": now(), "sessions": []}, wait=lock_wait))
    recovered = recover_parts(folder)
    rescored = score_again(job)
    done = folder.done()
    missing = [prompt for prompt in wanted if prompt.doc_id not in done]
    if folder.finished and not missing and spec.samples is None:  # the scorer raises as before: nothing has changed
        return Outcome(spec, "stored", folder, summary_over(job))
    run = RunState(job, total, missing, before=folder.summary(), progress=progress, parts=parts)
    for sample in folder.samples(light=True):
        if sample["doc_id"] in documents:
            run.add(sample)
    start = session(spec.batch_size, str(job.backbone.device), asked_limit(job), spec.compile)
    folder.update(sessions=[*counted(folder.run()["sessions"], len(done)), start])
    run.report(", ".join(renamed + _notes(folder.dropped, recovered, rescored)))
    return run


def relabel(job: Job) -> list[str]:
    """Give a stored run the label that is asked for now; what was done, in words. Nothing else of the run changes."""
    label, folder = job.run["label"], job.folder
    if label is None or not (folder.path / "run.json").is_file():
        return []
    old = folder.run().get("label")
    if old == label:
        return []
    with folder.open(job.run):
        folder.update(label=label)
    return [f"the stored run's label was {old!r} and is {label!r} now"]


def _notes(dropped: int, recovered: int, rescored: int) -> list[str]:
    notes = [f"{dropped} bytes of a torn last line were dropped"] if dropped else []
    notes += [f"{recovered} samples of an interrupted parallel run were recovered"] if recovered else []
    return notes + ([f"{rescored} samples whose scorer had raised were scored again"] if rescored else [])


def score_again(job: Job) -> int:
    """Score the stored samples whose scorer raised, and write what came out; how many have a score now.

    The run's folder is open. Its summary goes with the first new score.
    """
    folder = job.folder
    if not any(unscored(sample) for sample in folder.samples(light=True)):
        return 0
    samples = {sample["doc_id"]: sample for sample in folder.samples()}
    scorer = Scorer(background=job.choice.protocol.metric == "pass@1")
    again: list[dict[str, Any]] = []
    try:
        for sample in samples.values():
            if unscored(sample):
                again += scorer.submit(partial(scored, job.loaded, document(job.loaded, sample), sample))
        again += scorer.drain()
    finally:
        scorer.close()
    fixed = [sample for sample in again if not unscored(sample)]
    if fixed:
        folder.unfinish()
        folder.rewrite([*(samples | {sample["doc_id"]: sample for sample in fixed}).values()])
    return len(fixed)
