"""The samples of a run as an lm-eval model that never computes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lm_eval.api.model import LM

from harness.runner.prompts import template


class StoredLM(LM):
    """Answers every request from `samples`, lines of samples.jsonl in the order of the documents asked for."""

    def __init__(self, samples: Sequence[dict[str, Any]], tokenizer: Any) -> None:
        super().__init__()
        self.samples, self._tokenizer = samples, tokenizer

    @property
    def tokenizer_name(self) -> str:
        return "stored"

    def apply_chat_template(self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True) -> str:
        """The prompt of a conversation, as the model that generated had it."""
        return str(template(self._tokenizer)(chat_history, add_generation_prompt=add_generation_prompt))

    def chat_template(self, chat_template: bool | str = False) -> str:
        return str(getattr(self._tokenizer, "chat_template", "") or "")

    def generate_until(self, requests: list[Any]) -> list[str]:
        """The stored text of every document."""
        return [str(self.samples[request.doc_id]["text"]) for request in requests]

    def loglikelihood(self, requests: list[Any]) -> list[tuple[float, bool]]:
        raise NotImplementedError("A run stores generations, no likelihoods.")

    def loglikelihood_rolling(self, requests: list[Any]) -> list[float]:
        raise NotImplementedError("A run stores generations, no likelihoods.")
