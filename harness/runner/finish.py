"""A run at its end: samples sorted, aggregated by lm-eval, summarised."""

from __future__ import annotations

from typing import Any

from harness.metrics import beginning, summarise
from harness.runner import aggregate
from harness.runner.job import Job
from harness.runner.state import Outcome, RunState, failed


def finish(run: RunState) -> Outcome:
    """Sort the samples, let lm-eval aggregate them, write the summary.

    The summary describes the longest unbroken beginning of the task that is stored: what an interrupted larger run
    left behind further on came back in order of completion, short answers first, and would bias it. Documents chosen
    by hand (`--samples`) are stored and change no summary.
    """
    job, folder = run.job, run.job.folder
    try:
        folder.sort()
        run.record(samples=run.new)
        if job.spec.samples is not None:
            if run.before is not None:
                folder.finish(run.before)
            return Outcome(job.spec, "done", folder, summary_over(job), run.new)
        samples = beginning(folder.samples())
        summary = summarise(folder.run(), samples)
        summary["lm_eval"] = aggregate.evaluate(job, samples)
        aggregate.check(job, summary["lm_eval"], summary)
        folder.finish(summary)
        if run.parts is not None:
            run.parts.remove()
        return Outcome(job.spec, "done", folder, summary_over(job), run.new)
    except Exception as error:
        return failed(job.spec, error, folder)


def close(run: RunState) -> Outcome:
    """How a run ended whose decoding is over."""
    if run.parts is None and run.failed is None:
        return Outcome(run.job.spec, "done", run.job.folder, new=run.new)
    if run.outcome is None and run.failed is None and run.done == run.total:
        run.outcome = finish(run)
    return run.outcome or failed(run.job.spec, run.failed or RuntimeError("not all samples came back"), run.job.folder)


def summary_over(job: Job) -> dict[str, Any] | None:
    """The stored summary, or one over the documents asked for where the run holds others as well."""
    documents, summary = job.documents, job.folder.summary()
    if job.spec.samples is None and (summary is None or summary["n_samples"] == len(documents)):
        return summary
    samples = [sample for sample in job.folder.samples(light=True) if sample["doc_id"] in documents]
    return summarise(job.folder.run(), samples)
