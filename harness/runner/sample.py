"""One finished row as one line of samples.jsonl: who it is, what was generated, how it scored."""

from __future__ import annotations

import traceback
from typing import Any

from harness import generation
from harness.errors import UserError
from harness.generation import UNSCORED
from harness.runner.job import Job
from harness.runner.prompts import Prompt, prompt_hash


def _head(job: Job, prompt: Prompt) -> dict[str, Any]:
    return {
        "doc_id": prompt.doc_id,
        "task": job.spec.task,
        "prompt_hash": prompt_hash(prompt.text),
        "prompt": prompt.text,
        "prompt_tokens": len(prompt.ids),
    }


def decoded(job: Job, prompt: Prompt, result: Any) -> dict[str, Any]:
    """The line of a decoded row, not scored yet."""
    protocol = job.choice.protocol
    made = generation.decoded(
        job.reader, result, task=job.spec.task, until=protocol.until, eos_policy=protocol.eos_policy
    )
    return {**_head(job, prompt), **made}


def too_long(job: Job, prompt: Prompt) -> dict[str, Any]:
    """The line of a prompt that does not fit: nothing is decoded, it counts as wrong."""
    return {**_head(job, prompt), **generation.too_long(prompt.ids, job.choice.gen_length, job.context)}


def document(loaded: Any, line: dict[str, Any]) -> dict[str, Any]:
    """The document that a stored line is of. Raises UserError for one that the task does not have."""
    if line["doc_id"] >= len(loaded.docs):
        raise UserError(
            f"samples.jsonl has document {line['doc_id']}, the task has {len(loaded.docs)}; remove that line."
        )
    found: dict[str, Any] = loaded.docs[line["doc_id"]]
    return found


def scored(loaded: Any, doc: dict[str, Any], line: dict[str, Any]) -> dict[str, Any]:
    """`line` with its score. A scorer that raises makes the outcome `error`, with the traceback in the line.

    An error with an exit code (no sandbox on this machine) concerns the whole run and is raised.
    """
    from tasks.scoring import score

    try:
        value = score(loaded, doc, line["text"])
    except Exception as error:
        if isinstance(getattr(error, "exit_code", None), int):
            raise
        return {**line, **UNSCORED, "error": traceback.format_exc()}
    line = {name: content for name, content in line.items() if name != "error"}
    return {
        **line,
        "extracted": value.extracted,
        "outcome": value.outcome,
        "correct": int(value.correct),
        "strict": int(value.strict),
        "flexible": int(value.flexible),
        "detail": value.detail,
    }
