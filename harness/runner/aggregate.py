"""lm-eval's own evaluation of a finished run: `simple_evaluate` over the stored texts, and a check that it agrees."""

from __future__ import annotations

import contextlib
import io
import logging
from collections.abc import Iterator, Mapping
from typing import Any

from harness.errors import UserError
from harness.runner.job import Job
from harness.stats import unscored

TOLERANCE = 1e-6  # percent


def evaluate(job: Job, samples: list[dict[str, Any]]) -> dict[str, Any] | None:
    """lm-eval's results entry of the task (`metric,filter` -> value) from the samples of the task's first documents.

    The model that it evaluates finds every document stored. Samples whose scorer raised are left out, as in the
    summary; None when that is all of them.
    """
    from lm_eval.evaluator import simple_evaluate
    from lm_eval.tasks import TaskManager

    from harness.runner.stored_model import StoredLM

    protocol, task = job.choice.protocol, job.spec.task
    with_score = [sample for sample in samples if not unscored(sample)]
    if not with_score:
        return None
    all_scored = len(with_score) == len(samples)
    lm = StoredLM(with_score, job.reader.tokenizer)
    with _quiet():
        results = simple_evaluate(
            model=lm,
            model_args={"run_id": job.run["run_id"]},
            tasks=[job.loaded.task],
            limit=len(samples) if all_scored else None,
            samples=None if all_scored else {task: [sample["doc_id"] for sample in with_score]},
            system_instruction=protocol.system_text,
            apply_chat_template=protocol.chat_template,
            fewshot_as_multiturn=False,
            fewshot_random_seed=job.loaded.seed,
            task_manager=TaskManager(include_defaults=False),
            log_samples=False,
        )
    return {name: value for name, value in results["results"][task].items() if "," in name}


def agrees(results: Mapping[str, Any], summary: Mapping[str, Any]) -> bool:
    """Whether lm-eval's aggregate equals the store's accuracy."""
    return abs(100.0 * float(results[summary["metric"]]) - summary["accuracy"]) <= TOLERANCE


def check(job: Job, results: Mapping[str, Any] | None, summary: Mapping[str, Any]) -> None:
    """Raise UserError unless lm-eval's aggregate, where there is one, equals the store's accuracy."""
    if results is not None and not agrees(results, summary):
        official = 100.0 * float(results[summary["metric"]])
        raise UserError(
            f"{job.folder.path}: lm-eval's {summary['metric']} is {official:.4f} %, the stored samples give "
            f"{summary['accuracy']:.4f} %. The scorer has changed "
            f"since they were stored: `harness score {job.run['run_id']}`."
        )


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """lm-eval's log lines and bars are about models that run; here nothing runs.

    Its report on the environment is left out (it takes seconds, `pip list`) and so is its look for a git commit (git
    writes to the terminal outside a repository): run.json has both.
    """
    from lm_eval import evaluator

    logger, report, commit = logging.getLogger("lm_eval"), evaluator.add_env_info, evaluator.get_git_commit_hash
    level = logger.level
    logger.setLevel(logging.ERROR)
    evaluator.add_env_info = lambda storage: None
    evaluator.get_git_commit_hash = lambda: None
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        logger.setLevel(level)
        evaluator.add_env_info, evaluator.get_git_commit_hash = report, commit
