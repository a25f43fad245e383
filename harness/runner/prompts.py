"""The documents of a run with their prompts, and their requests to the decoding loop."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from harness.errors import UserError
from harness.runner.job import Job


@dataclass(frozen=True)
class Prompt:
    """One document to decode. fits: whether prompt and generation region fit into the context."""

    doc_id: int
    doc: dict[str, Any]
    prompt: str
    prompt_ids: list[int]
    fits: bool


def prompts(job: Job, limit: int | None = None) -> list[Prompt]:
    """The first `limit` documents with their prompts, exactly as lm-eval builds them."""
    tokenizer, chat = job.reader.tokenizer, job.choice.protocol.chat_template
    found = []
    for request in job.loaded.requests(limit, chat_template=template(tokenizer) if chat else None):
        ids = job.reader.encode(request.args[0], special=not chat)
        fits = len(ids) + job.choice.gen_length <= job.context
        found.append(Prompt(request.doc_id, dict(request.doc), request.args[0], ids, fits))
    return found


def request(job: Job, planned: Prompt) -> Any:
    """The decoding loop's request; its seed depends on the run's seed and the document only."""
    from methods.decoding import Request

    seed = job.spec.seed * 1_000_003 + planned.doc_id
    return Request(planned.prompt_ids, job.choice.gen_length, job.decoder, seed)


def prompt_hash(prompt: str) -> str:
    """SHA-256 of the prompt's text, 16 hex digits."""
    return hashlib.sha256(prompt.encode("utf-8")).hexdigest()[:16]


def template(tokenizer: Any) -> Any:
    """The tokenizer's chat template as lm-eval calls it; an assistant prefill at the end is continued.

    Raises UserError when the tokenizer has none.
    """
    if not getattr(tokenizer, "chat_template", None):
        raise UserError(
            "The checkpoint's tokenizer has no chat template, but the protocol asks for one; give another --protocol "
            "or a checkpoint that has one."
        )

    def apply(history: list[dict[str, str]], add_generation_prompt: bool = True) -> str:
        return str(
            tokenizer.apply_chat_template(
                history,
                tokenize=False,
                add_generation_prompt=add_generation_prompt,
                continue_final_message=not add_generation_prompt,
            )
        )

    return apply
