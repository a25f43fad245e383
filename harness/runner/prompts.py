"""The documents of a run with their prompts, exactly as lm-eval builds them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from harness import generation
from harness.errors import UserError
from harness.runner.job import Job


@dataclass(frozen=True)
class Prompt:
    """One document to decode: its prompt as text and ids. fits: whether prompt and answer fit into the context."""

    doc_id: int
    doc: dict[str, Any]
    text: str
    ids: list[int]
    fits: bool


def prompts(job: Job, limit: int | None = None) -> list[Prompt]:
    """The prompts of the first `limit` documents."""
    tokenizer, chat = job.reader.tokenizer, job.choice.protocol.chat_template
    found = []
    for asked in job.loaded.requests(limit, chat_template=template(tokenizer) if chat else None):
        ids = job.reader.encode(asked.args[0], special=not chat)
        fits = generation.fits(ids, job.choice.gen_length, job.context)
        found.append(Prompt(asked.doc_id, dict(asked.doc), asked.args[0], ids, fits))
    return found


def request(job: Job, prompt: Prompt) -> Any:
    """The decoding engine's request for a prompt of this run."""
    return generation.request(job.decoder, prompt.ids, job.choice.gen_length, seed=job.spec.seed, doc_id=prompt.doc_id)


def prompt_hash(prompt: str) -> str:
    """SHA-256 of the prompt's text, 16 hex digits."""
    return hashlib.sha256(prompt.encode("utf-8")).hexdigest()[:16]


def template(tokenizer: Any) -> Any:
    """The tokenizer's chat template as lm-eval calls it; an assistant prefill at the end is continued.

    Raises UserError when the tokenizer has none; the template, when it fails or leaves the question out.
    """
    if not getattr(tokenizer, "chat_template", None):
        raise UserError(
            "The checkpoint's tokenizer has no chat template, but the protocol asks for one; give another --protocol "
            "or a checkpoint that has one."
        )

    def apply(history: list[dict[str, str]], add_generation_prompt: bool = True) -> str:
        try:
            text = tokenizer.apply_chat_template(
                history,
                tokenize=False,
                add_generation_prompt=add_generation_prompt,
                continue_final_message=not add_generation_prompt,
            )
        except Exception as error:  # a syntax error, its own raise_exception, or whatever Jinja lets it do
            why = (str(error).strip() or "no reason given").splitlines()[0]
            raise UserError(
                f"The chat template of the checkpoint's tokenizer fails ({type(error).__name__}: {why}); correct "
                "chat_template.jinja or tokenizer_config.json, or give another --protocol."
            ) from error
        if not isinstance(text, str) or history[-1]["content"].strip() not in text:
            raise UserError(
                "The chat template of the checkpoint's tokenizer leaves the question out of the prompt; correct "
                "chat_template.jinja or tokenizer_config.json, or give another --protocol."
            )
        return text

    return apply
