"""The documents that a spec asks for, as a loaded job knows them."""

from __future__ import annotations

from harness.runner.job import Job
from harness.runner.prompts import Prompt, prompts


def asked_prompts(job: Job) -> list[Prompt]:
    """The prompts of the documents that the job's spec asks for, in their order."""
    documents = job.documents
    return [prompt for prompt in prompts(job, documents[-1] + 1) if prompt.doc_id in documents]


def asked_limit(job: Job) -> int | None:
    """How many of the task's first documents a session asks for; None for all, and for chosen ones."""
    spec = job.spec
    return None if spec.limit is None else len(job.documents)
