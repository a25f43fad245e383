"""One finished row as one line of samples.jsonl: counted, cut, scored."""

from __future__ import annotations

import traceback
from typing import Any

from harness.metrics import KINDS
from harness.runner.job import Job
from harness.runner.prompts import Prompt, prompt_hash

UNSCORED = {"extracted": None, "outcome": "error", "correct": 0, "strict": 0, "flexible": 0, "detail": ""}


def _head(job: Job, planned: Prompt) -> dict[str, Any]:
    return {
        "doc_id": planned.doc_id,
        "task": job.spec.task,
        "prompt_hash": prompt_hash(planned.prompt),
        "prompt": planned.prompt,
        "prompt_tokens": len(planned.prompt_ids),
    }


def decoded(job: Job, planned: Prompt, result: Any) -> dict[str, Any]:
    """The line of a decoded row, not scored yet."""
    protocol, reader = job.choice.protocol, job.reader
    ids = list(map(int, result.output_ids))
    pieces = reader.pieces(ids)
    kept = reader.keep(ids, pieces, protocol.until, protocol.eos_policy)
    return {
        **_head(job, planned),
        "output_ids": ids,
        "pieces": pieces,
        "text": kept.text,
        "stop_reason": result.stop_reason,
        "forwards": {kind: int(result.forwards.get(kind, 0)) for kind in KINDS},
        "nfe": int(result.nfe),
        "positions": int(result.positions),
        "tokens": kept.tokens,
        "tokens_compat": reader.compat(job.spec.task, ids, protocol.until),
        "revisions": int(result.revisions),
        "truncated": False,
        "seconds": float(result.seconds),
        "trace": list(map(int, result.reveal_step)),
    }


def too_long(job: Job, planned: Prompt) -> dict[str, Any]:
    """The line of a prompt that does not fit: nothing is decoded, it counts as wrong."""
    room = job.context - job.choice.gen_length
    return {
        **_head(job, planned),
        **UNSCORED,
        "outcome": "truncated",
        "detail": f"the prompt has {len(planned.prompt_ids)} tokens, the context leaves room for {room}",
        "output_ids": [],
        "pieces": [],
        "text": "",
        "stop_reason": "truncated",
        "forwards": dict.fromkeys(KINDS, 0),
        "nfe": 0,
        "positions": 0,
        "tokens": 0,
        "tokens_compat": {},
        "revisions": 0,
        "truncated": True,
        "seconds": 0.0,
        "trace": [],
    }


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
