"""`execute`: runs specs to the end, those that share a model and a task in one batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from typing import Any

from harness.distributed import Group, alone
from harness.runner.decoding import decode_all
from harness.runner.finish import close, finish
from harness.runner.job import Choice, choose, prepare
from harness.runner.models import ModelCache
from harness.runner.opening import open_run
from harness.runner.prompts import Prompt, request
from harness.runner.rank_files import Parts, check_same_run
from harness.runner.ranks import begin, gather
from harness.runner.sample import decoded, scored, too_long
from harness.runner.scoring import Scorer
from harness.runner.spec import RunSpec
from harness.runner.state import Event, Outcome, Progress, RunState, failed
from harness.store.folder import LOCK_WAIT

__all__ = ["Event", "Outcome", "execute"]
_REPORTED: set[str] = set()


def execute(
    specs: Sequence[RunSpec],
    *,
    progress: Progress | None = None,
    model_cache: ModelCache | None = None,
    ranks: Group | None = None,
    lock_wait: float = LOCK_WAIT,
) -> list[Outcome]:
    """Bring every spec to a finished run and say how it went, in the order of `specs`.

    Stored samples are kept, missing ones decoded; specs that share model and task are decoded together, and a canvas
    that several of them meet is computed once. A spec that fails does not stop the others. KeyboardInterrupt passes
    through; finished samples are stored.
    ranks: the group of processes that all call this with the same specs and share the samples (`harness.distributed`).
    lock_wait: seconds to wait for a run that another process is writing; then it is `busy`.
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
        found |= _run_group(group, models, progress, ranks, lock_wait)
    return [found[place] for place in range(len(specs))]


def _choose(spec: RunSpec, ranks: Group) -> Choice:
    choice = choose(spec)
    if ranks.world_size > 1:
        choice.key = replace(choice.key, device=ranks.device(choice.key.device))
    return choice


def _run_group(
    group: Sequence[tuple[int, Choice]],
    models: ModelCache,
    progress: Progress | None,
    ranks: Group,
    lock_wait: float,
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
                run = begin(
                    job, partial(open_run, job, progress, stack, Parts(job.folder, ranks), lock_wait), stack, ranks
                )
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
            found |= {place: close(run) for place, run in active.items()}
    return found


def _decode(runs: list[RunState]) -> None:
    """One decode over everything the runs lack; each sample is scored and stored as soon as it is finished."""
    work: list[tuple[RunState, Prompt]] = []
    for run in runs:
        for prompt in run.missing:
            if prompt.fits:
                work.append((run, prompt))
            else:
                _store(run, too_long(run.job, prompt))
    job = runs[0].job
    scorer = Scorer(background=job.choice.protocol.metric == "pass@1")
    try:
        results = decode_all(
            job.backbone,
            [request(run.job, prompt) for run, prompt in work],
            min(run.job.spec.batch_size for run in runs),
            halved=lambda old, new: _halved(runs, old, new),
            reuse_mb=min(run.job.spec.reuse_mb for run in runs),
            note=lambda text: _once(runs[0], text),
        )
        for result in results:
            run, prompt = work[result.index]
            for ready in scorer.submit(_finisher(run, prompt, result)):
                _store(*ready)
        for ready in scorer.drain():
            _store(*ready)
    except Exception as error:
        for run in runs:
            run.failed = error if run.done < run.total else None
    finally:
        scorer.close()


def _finisher(run: RunState, prompt: Prompt, result: Any) -> Callable[[], tuple[RunState, dict[str, Any]]]:
    line = decoded(run.job, prompt, result)
    return lambda: (run, scored(run.job.loaded, prompt.doc, line))


def _store(run: RunState, line: dict[str, Any]) -> None:
    run.store(line)
    run.collect_parts()
    if run.parts is not None and run.done == run.total:
        run.outcome = run.outcome or finish(run)


def _once(run: RunState, text: str) -> None:
    """Report `text` unless this process has done so, for whatever run."""
    if text not in _REPORTED:
        _REPORTED.add(text)
        run.report(text)


def _halved(runs: list[RunState], before: int, now_: int) -> None:
    for run in runs:
        sessions = run.job.folder.run()["sessions"]
        sessions[-1]["out_of_memory"] = [*sessions[-1].get("out_of_memory", []), {"from": before, "to": now_}]
        sessions[-1]["batch_size"] = now_
        run.job.folder.update(sessions=sessions)
        run.report(f"out of memory at batch size {before}, going on with {now_}")
