"""`execute`: runs specs to the end, those that share a model and a task in one batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from typing import Any

from harness.distributed import Group, alone
from harness.metrics import beginning, summarise
from harness.runner import aggregate
from harness.runner.decoding import decode_all
from harness.runner.job import Choice, Job, choose, prepare
from harness.runner.models import ModelCache
from harness.runner.prompts import Prompt, prompts, request
from harness.runner.provenance import now, session
from harness.runner.rank_files import Parts, check_same_run, recover_parts
from harness.runner.ranks import begin, gather
from harness.runner.sample import decoded, scored, too_long
from harness.runner.scoring import Scorer
from harness.runner.spec import RunSpec
from harness.runner.state import Event, Outcome, Progress, RunState, failed
from harness.store.sessions import counted

__all__ = ["Event", "Outcome", "execute"]


def execute(
    specs: Sequence[RunSpec],
    *,
    progress: Progress | None = None,
    model_cache: ModelCache | None = None,
    ranks: Group | None = None,
) -> list[Outcome]:
    """Bring every spec to a finished run and say how it went, in the order of `specs`.

    Stored samples are kept, missing ones decoded; specs that share model and task are decoded together, in the order
    given. A spec that fails does not stop the others. KeyboardInterrupt passes through; finished samples are stored.
    ranks: the group of processes that all call this with the same specs and share the samples (`harness.distributed`).
    """
    models = model_cache or ModelCache()
    ranks = ranks or alone()
    found: dict[int, Outcome] = {}
    groups: dict[Any, list[tuple[int, Choice]]] = {}
    for place, spec in enumerate(specs):
        try:
            choice = ranks.attempt(partial(_choose, spec, ranks))
        except Exception as error:
            found[place] = failed(spec, error)
            continue
        groups.setdefault((choice.key, choice.protocol.id, spec.data_dir), []).append((place, choice))
    for group in groups.values():
        found |= _run_group(group, models, progress, ranks)
    return [found[place] for place in range(len(specs))]


def _choose(spec: RunSpec, ranks: Group) -> Choice:
    choice = choose(spec)
    if ranks.world_size > 1:
        choice.key = replace(choice.key, device=ranks.device(choice.key.device))
    return choice


def _run_group(
    group: Sequence[tuple[int, Choice]], models: ModelCache, progress: Progress | None, ranks: Group
) -> dict[int, Outcome]:
    found: dict[int, Outcome] = {}
    active: dict[int, RunState] = {}
    loaded = None
    with ExitStack() as stack:
        for place, choice in group:
            try:
                job = ranks.attempt(partial(prepare, choice, models, loaded))
                loaded = job.loaded
                check_same_run(ranks, job.run)
                if any(other.job.run["run_id"] == job.run["run_id"] for other in active.values()):
                    found[place] = failed(choice.spec, ValueError(f"{job.folder.path} is asked for twice."))
                    continue
                run = begin(job, partial(_open, job, progress, stack, Parts(job.folder, ranks)), stack, ranks)
            except Exception as error:
                found[place] = failed(choice.spec, error)
                continue
            if isinstance(run, Outcome):
                found[place] = run
            else:
                active[place] = run
        if active:
            _decode(list(active.values()))
            gather(list(active.values()), ranks)
            found |= {place: _close(run) for place, run in active.items()}
    return found


def _open(job: Job, progress: Progress | None, stack: ExitStack, parts: Parts) -> RunState | Outcome:
    """Lock the run and find what it lacks; a run that lacks nothing is shown without being touched."""
    spec, folder = job.spec, job.folder
    total = min(spec.limit or job.run["n_docs"], job.run["n_docs"])
    if spec.fresh:
        folder.set_aside()
    elif folder.finished and folder.done() >= set(range(total)):
        return Outcome(spec, "stored", folder, _summary(job, total))
    wanted = prompts(job, spec.limit)  # before the folder is touched: a chat template can fail
    stack.enter_context(folder.open(job.run | {"started": now(), "sessions": []}))
    recovered = recover_parts(folder)
    run = RunState(job, total, progress=progress, parts=parts)
    for sample in folder.samples(light=True):
        if sample["doc_id"] < total:
            run.add(sample)
    done = folder.done()
    run.missing = [planned for planned in wanted if planned.doc_id not in done]
    start = session(spec.batch_size, str(job.backbone.device), spec.limit, spec.compile)
    folder.update(sessions=[*counted(folder.run()["sessions"], len(done)), start])
    notes = [f"{folder.dropped} bytes of a torn last line were dropped"] if folder.dropped else []
    notes += [f"{recovered} samples of an interrupted parallel run were taken up"] if recovered else []
    run.tell(", ".join(notes))
    return run


def _decode(runs: list[RunState]) -> None:
    """One decode over everything the runs lack; each sample is scored and stored as soon as it is finished."""
    work: list[tuple[RunState, Prompt]] = []
    for run in runs:
        for planned in run.missing:
            if planned.fits:
                work.append((run, planned))
            else:
                _store(run, too_long(run.job, planned))
    job = runs[0].job
    scorer = Scorer(background=job.choice.protocol.metric == "pass@1")
    batch_size = min(run.job.spec.batch_size for run in runs)
    try:
        requests = [request(run.job, planned) for run, planned in work]
        for result in decode_all(job.backbone, requests, batch_size, halved=lambda old, new: _halved(runs, old, new)):
            run, planned = work[result.index]
            for ready in scorer.submit(_finisher(run, planned, result)):
                _store(*ready)
        for ready in scorer.drain():
            _store(*ready)
    except Exception as error:
        for run in runs:
            run.failed = error if run.done < run.total else None
    finally:
        scorer.close()


def _finisher(run: RunState, planned: Prompt, result: Any) -> Callable[[], tuple[RunState, dict[str, Any]]]:
    line = decoded(run.job, planned, result)
    return lambda: (run, scored(run.job.loaded, planned.doc, line))


def _store(run: RunState, line: dict[str, Any]) -> None:
    run.store(line)
    run.collect_parts()
    if run.parts is not None and run.done == run.total:
        run.outcome = run.outcome or _finish(run)


def _halved(runs: list[RunState], before: int, now_: int) -> None:
    for run in runs:
        sessions = run.job.folder.run()["sessions"]
        sessions[-1]["out_of_memory"] = [*sessions[-1].get("out_of_memory", []), {"from": before, "to": now_}]
        sessions[-1]["batch_size"] = now_
        run.job.folder.update(sessions=sessions)
        run.tell(f"out of memory at batch size {before}, going on with {now_}")


def _finish(run: RunState) -> Outcome:
    """Sort the samples, let lm-eval aggregate them, write the summary.

    The summary describes the longest unbroken beginning of the task that is stored: what an interrupted larger run
    left behind further on came back in order of completion, short answers first, and would bias it.
    """
    job, folder = run.job, run.job.folder
    try:
        folder.sort()
        run.record(samples=run.new)
        samples = beginning(folder.samples())
        summary = summarise(folder.run(), samples)
        summary["lm_eval"] = aggregate.evaluate(job, samples)
        aggregate.check(job, summary["lm_eval"], summary)
        folder.finish(summary)
        if run.parts is not None:
            run.parts.remove()
        return Outcome(job.spec, "done", folder, _summary(job, run.total), run.new)
    except Exception as error:
        return failed(job.spec, error, folder)


def _close(run: RunState) -> Outcome:
    if run.parts is None and run.failed is None:
        return Outcome(run.job.spec, "done", run.job.folder, new=run.new)
    if run.outcome is None and run.failed is None and run.done == run.total:
        run.outcome = _finish(run)
    return run.outcome or failed(run.job.spec, run.failed or RuntimeError("not all samples came back"), run.job.folder)


def _summary(job: Job, total: int) -> dict[str, Any] | None:
    """The stored summary, or one over the first `total` documents when the run holds more."""
    summary = job.folder.summary()
    if summary is None or summary["n_samples"] == total:
        return summary
    samples = [sample for sample in job.folder.samples(light=True) if sample["doc_id"] < total]
    return summarise(job.folder.run(), samples)
