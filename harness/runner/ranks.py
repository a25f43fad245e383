"""The steps of a run at which the processes of a group meet: opening it, assigning its documents, ending it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace

from harness.distributed import AgreedError, Group, LostError
from harness.runner.asked import asked_limit, asked_prompts
from harness.runner.job import Job
from harness.runner.provenance import now, session
from harness.runner.rank_files import check_shared_folder, part_of
from harness.runner.state import Outcome, RunState, failed


def begin(job: Job, open_run: Callable[[], RunState | Outcome], stack: ExitStack, ranks: Group) -> RunState | Outcome:
    """Open the run on every rank, and assign its missing documents to ranks round-robin, as lm-eval does."""
    opened = ranks.attempt(lambda: open_run() if ranks.rank == 0 else None)
    if opened is not None and ranks.world_size == 1:
        return opened
    lacks = [prompt.doc_id for prompt in opened.missing] if isinstance(opened, RunState) else None
    plan = ranks.agree(lacks)[0]
    if plan is None:
        return opened or Outcome(job.spec, "stored", job.folder)
    run = ranks.attempt(lambda: opened if isinstance(opened, RunState) else _open_part(job, stack, ranks))
    if run.parts is not None:
        stack.callback(run.collect_parts)  # however this ends
        run.record()
    mine = set(plan[ranks.rank :: ranks.world_size])
    run.missing = [prompt for prompt in run.missing if prompt.doc_id in mine]
    run.total = run.total if run.parts is not None else len(mine)
    return run


def _open_part(job: Job, stack: ExitStack, ranks: Group) -> RunState:
    """The run as a rank after the first has it: a part of its own, and every document of the task."""
    check_shared_folder(ranks, job.folder)
    wanted = asked_prompts(job)
    start = session(job.spec.batch_size, str(job.backbone.device), asked_limit(job), job.spec.compile)
    part = part_of(job.folder, ranks.rank)
    stack.enter_context(part.open(job.run | {"started": now(), "sessions": [start]}))
    return RunState(replace(job, folder=part), len(wanted), wanted)


def gather(runs: list[RunState], ranks: Group) -> None:
    """Wait until every rank has done its share, storing what arrives; a rank that failed fails its runs here too."""

    def look() -> None:
        for run in runs:
            run.collect_parts()

    if ranks.world_size == 1:
        return
    try:
        reports = ranks.agree([run.failed and failed(run.job.spec, run.failed).error for run in runs], meanwhile=look)
        look()
    except LostError as error:
        look()
        for run in runs:
            if run.done < run.total:  # a rank that died after its last sample has lost nothing
                run.failed = run.failed or error
        return
    for rank, failures in enumerate(reports):
        for run, failure in zip(runs, failures, strict=True):
            if failure:
                run.failed = run.failed or AgreedError(f"Process {rank}: {failure}", 1)
